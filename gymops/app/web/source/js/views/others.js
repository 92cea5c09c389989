import { all, request } from "../api.js";
import { shortDay } from "../format.js";
import { exerciseName } from "../library.js";
import { byReps, listed } from "../records.js";

/** Personal records, exercise by exercise. */
export const recordsView = () => ({
  rows: [],
  query: "",
  stage: "loading", // loading | ready | failed

  init() {
    this.$store.page.arrived();
    this.load();
  },

  async load() {
    this.stage = "loading";
    try {
      this.rows = await all("/records");
      this.stage = "ready";
    } catch {
      this.stage = "failed";
    }
  },

  get shown() {
    const query = this.query.trim().toLowerCase();
    const named = this.rows.map((row) => ({ ...row, name: this.$store.page.library >= 0 ? exerciseName(row.exercise_id) : "" }));
    return named
      .filter(({ name }) => name.toLowerCase().includes(query))
      .sort((a, b) => a.name.localeCompare(b.name));
  },

  listed,
  byReps,
  shortDay,
});

/** The form that asks for the passcode when the server does. */
export const signIn = () => ({
  passcode: "",
  trouble: "",
  busy: false,

  async enter() {
    if (!this.passcode || this.busy) return;
    this.busy = true;
    this.trouble = "";
    try {
      await request("POST", "/session", { passcode: this.passcode });
      this.passcode = "";
      await this.$store.page.open();
    } catch (error) {
      this.trouble = error.status === 401 || error.status === 403 ? "That is not the passcode." : error.message;
      this.$nextTick(() => this.$refs.passcode?.focus());
    } finally {
      this.busy = false;
    }
  },
});

export const settingsView = () => ({
  themes: [
    ["system", "System"],
    ["light", "Light"],
    ["dark", "Dark"],
  ],
  units: [
    ["kg", "Kilograms"],
    ["lb", "Pounds"],
  ],

  init() {
    this.$store.page.arrived();
  },

  async dropUnsent() {
    const sure = await this.$store.dialog.ask({
      title: "Throw the unsent changes away?",
      text: `${this.$store.page.waiting} They exist only on this device.`,
      action: "Throw away",
      danger: true,
    });
    if (!sure) return;
    this.$store.page.outbox.drop();
    this.$store.training.load();
  },
});
