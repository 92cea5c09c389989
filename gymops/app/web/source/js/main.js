// Registers what index.html names; Alpine's CSP build evaluates no code of its own making.
import { dialog } from "./stores/dialog.js";
import { page } from "./stores/page.js";
import { templates } from "./stores/templates.js";
import { training } from "./stores/training.js";
import { card, setEditor } from "./views/card.js";
import { historyView, workoutDetail } from "./views/history.js";
import { recordsView, settingsView, signIn } from "./views/others.js";
import { templatesView } from "./views/templates.js";
import { voice } from "./views/voice.js";
import { finisher, picker, workoutView } from "./views/workout.js";

const stores = { dialog, templates, training, page };
const views = {
  card,
  finisher,
  historyView,
  picker,
  recordsView,
  setEditor,
  settingsView,
  signIn,
  templatesView,
  voice,
  workoutDetail,
  workoutView,
};

document.addEventListener("alpine:init", () => {
  for (const [name, store] of Object.entries(stores)) Alpine.store(name, store);
  for (const [name, view] of Object.entries(views)) Alpine.data(name, view);
});
