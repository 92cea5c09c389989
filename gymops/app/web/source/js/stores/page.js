// What the whole page shares: who is here, which view, what was said last, what waits to be sent.
import Alpine from "../alpine.js";
import { ApiError, find, request } from "../api.js";
import { loadLibrary } from "../library.js";
import { Outbox } from "../outbox.js";
import { canSpeak, hush } from "../speech.js";
import { store } from "../storage.js";

const VIEWS = {
  workout: "Workout",
  history: "History",
  templates: "Templates",
  records: "Records",
  settings: "Settings",
};

const READING_MS = 7_000;

const SILENCE = { text: "", tone: "calm", choices: [], undo: false };

export const page = {
  stage: "loading", // loading | signed-out | unreachable | ready
  user: null,
  auth: "none",
  view: "workout",
  id: null,
  message: SILENCE,
  records: [],
  unsent: [],
  failing: false,
  theme: store.get("theme", "system"),
  unit: store.get("unit", "kg"),
  spoken: store.get("spoken", true),
  canSpeak: canSpeak(),
  library: 0, // grows when the exercises' names have come, so that what shows them is drawn again

  init() {
    this.outbox = new Outbox(() => {
      this.unsent = this.outbox.entries;
      this.failing = this.outbox.failing;
    });
    addEventListener("gymops:signed-out", () => (this.stage = "signed-out"));
    addEventListener("hashchange", () => this.follow());
    this.follow();
    this.open();
  },

  /** Who is here? Then everything else. */
  async open() {
    try {
      const session = await request("GET", "/session");
      this.user = session.user;
      this.auth = session.auth;
      this.stage = "ready";
    } catch (error) {
      this.stage = error.status === 401 ? "signed-out" : "unreachable";
      return;
    }
    this.outbox.open(this.user);
    loadLibrary()
      .catch(() => null) // names are then made from the ids
      .finally(() => this.library++);
  },

  async signOut() {
    await request("DELETE", "/session").catch(() => null);
    this.stage = "signed-out";
  },

  /** The view named in the address: #/history/<id>. */
  follow() {
    const [view, id] = location.hash.replace(/^#\/?/, "").split("/");
    this.view = view in VIEWS ? view : "workout";
    this.id = id ? decodeURIComponent(id) : null;
    document.title = `${VIEWS[this.view]} · Titan Trakr`;
    scrollTo(0, 0);
  },

  /** A view's heading takes the focus, so that a screen reader says where it is. */
  arrived() {
    if (this.followed) Alpine.nextTick(() => document.querySelector("main h1")?.focus({ preventScroll: true }));
    this.followed = true;
  },

  /** The skip link; a plain anchor would change the route. */
  skip() {
    document.getElementById("main").focus();
  },

  go(path) {
    location.hash = `#/${path}`;
  },

  current(view) {
    return this.view === view ? "page" : null;
  },

  say(text, more = {}) {
    clearTimeout(this.fading);
    this.message = { ...SILENCE, text, ...more };
    const stays = !["calm", "quiet"].includes(this.message.tone) || this.message.choices.length;
    if (text && !stays) this.fading = setTimeout(() => this.fade(), READING_MS);
  },

  /** What was only told goes away again, unless someone is about to use it. */
  fade() {
    const used = document.querySelector(".message:is(:hover, :focus-within)");
    if (used) this.fading = setTimeout(() => this.fade(), READING_MS);
    else this.message = SILENCE;
  },

  hush() {
    this.message = SILENCE;
    hush();
  },

  celebrate(records) {
    this.records = records;
  },

  /** Send an event; what went wrong is said here, once, for every caller. Null when it was refused. */
  async write(event_type, payload) {
    return this.told(await this.outbox.send("/events", { event_type, payload }));
  },

  told(outcome) {
    if (outcome.state === "refused") this.say(outcome.error.message, { tone: "error" });
    if (outcome.state === "waiting") this.say(`${reason(outcome.error)} It is kept here and sent again.`, { tone: "warn" });
    return outcome.state === "refused" ? null : outcome;
  },

  /** What became of something that had to wait. */
  late({ state, data, error }) {
    if (state === "refused") this.say(`Not taken: ${error.message}`, { tone: "error" });
    else this.say(data?.say ?? "Sent.", { choices: data?.choices ?? [] });
  },

  /** What a view loads; a failure is said, and the view may offer to try again. */
  async load(path, fallback) {
    try {
      return await find(path, fallback);
    } catch (error) {
      if (error.status !== 401) this.say(reason(error), { tone: "error" });
      throw error;
    }
  },

  choose(setting, value) {
    this[setting] = value;
    store.set(setting, value);
    if (setting === "theme") dispatchEvent(new Event("gymops:theme"));
    if (setting === "spoken" && !value) hush();
  },

  get waiting() {
    const count = this.unsent.length;
    return count === 1 ? "1 change is not sent yet." : `${count} changes are not sent yet.`;
  },
};

function reason(error) {
  if (!(error instanceof ApiError) || error.status !== 0) return error.message;
  return navigator.onLine === false ? "You are offline." : "The server cannot be reached.";
}
