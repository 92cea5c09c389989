import { find } from "../api.js";
import { day, plural, setLabel, setText, setsText } from "../format.js";
import { exerciseName, kindOf } from "../library.js";
import { best, recordText } from "../records.js";
import { entered, entry, filled, fromPlan, secondsLabel, stepped, switched } from "../sets.js";

const COUNTED = [
  ["weight", "Weight"],
  ["body", "Bodyweight"],
];
const TIMED = ["time", "Time"];

/** One exercise of the workout: what was done last time, today's sets, and the next one to log. */
export const card = (exercise_id) => ({
  exercise_id,
  fields: entry("kg"),
  last: null,
  record: null,
  plan: null,
  since: null, // when the stopwatch was started
  busy: false,
  touched: false, // whether the person has changed what was filled in
  recorded: null, // promises the record as it is now
  timer: null,
  kinds: [...COUNTED, TIMED],
  secondsLabel,

  async init() {
    this.fields = entry(this.$store.page.unit);
    this.fields.kind = kindOf(exercise_id);
    this.fill();
    this.recorded = this.loadRecord();
    this.$watch("$store.training.changes", () => (this.recorded = this.loadRecord()));
    await Promise.all([this.loadLast(), this.loadPlan()]);
    this.fill();
  },

  destroy() {
    clearInterval(this.timer);
  },

  async loadLast() {
    const row = await find(`/projections/exercise_history:${exercise_id}`).catch(() => null);
    const sessions = row?.data?.sessions ?? [];
    this.last = sessions.find(({ workout_id }) => workout_id !== this.$store.training.workout?.id) ?? null;
  },

  async loadRecord() {
    const row = await find(`/projections/personal_records:${exercise_id}`).catch(() => undefined);
    if (row !== undefined) this.record = row?.data ?? null;
    return this.record;
  },

  async loadPlan() {
    const template_id = this.$store.training.workout?.from_template_id;
    if (!template_id) return;
    const page = await find("/templates?limit=100").catch(() => null);
    const template = page?.items.find(({ id }) => id === template_id);
    this.plan = template?.exercises.find((plan) => plan.exercise_id === exercise_id) ?? null;
  },

  /** What the next set probably is: as the one before, as planned, or as last time; never over what was typed. */
  fill() {
    if (this.touched) return;
    const today = this.sets[this.sets.length - 1];
    if (today) this.fields = filled(this.fields, today);
    else if (this.plan?.target_weight != null) this.fields = fromPlan(this.fields, this.plan);
    else if (this.last) this.fields = filled(this.fields, this.last.sets[0]);
    else if (this.plan) this.fields = fromPlan(this.fields, this.plan);
  },

  get sets() {
    const exercise = this.$store.training.workout?.exercises.find((one) => one.exercise_id === exercise_id);
    return exercise?.sets ?? [];
  },

  get name() {
    return this.$store.page.library >= 0 ? exerciseName(exercise_id) : "";
  },

  get lastText() {
    return this.last ? setsText(this.last.sets) : "";
  },

  get lastDay() {
    return this.last ? day(this.last.date) : "";
  },

  get recordLine() {
    return best(this.record);
  },

  get planText() {
    if (!this.plan?.target_sets && !this.plan?.target_reps) return "";
    const sets = plural(this.plan.target_sets ?? 1, "set");
    return this.plan.target_reps ? `${sets} of ${this.plan.target_reps}` : sets;
  },

  get fallen() {
    return this.$store.page.records.filter((record) => record.exercise_id === exercise_id).map(recordText);
  },

  setText,
  setLabel,

  touch() {
    this.touched = true;
    this.fields.trouble = "";
  },

  step(name, direction) {
    this.fields = stepped(this.fields, name, direction);
    this.touched = true;
  },

  switchUnit() {
    this.fields = switched(this.fields);
    this.touched = true;
    this.$store.page.choose("unit", this.fields.unit);
  },

  async log() {
    const { set, trouble } = entered(this.fields);
    this.fields.trouble = trouble ?? "";
    if (!set || this.busy) return;
    this.stopTimer();
    this.busy = true;
    try {
      await this.$store.training.log({ exercise_id, ...set }, this.recorded);
    } finally {
      this.busy = false;
    }
  },

  toggleTimer() {
    if (this.since) return this.stopTimer();
    this.since = Date.now();
    this.fields.seconds = "0";
    this.touched = true;
    this.timer = setInterval(() => {
      this.fields.seconds = String(Math.floor((Date.now() - this.since) / 1000));
    }, 200);
    return undefined;
  },

  stopTimer() {
    clearInterval(this.timer);
    this.since = null;
  },

  edit(set, index) {
    const { id } = this.$store.training.workout;
    this.$dispatch("edit-set", { workout_id: id, exercise_id, set, index });
  },
});

/** The dialog that changes or deletes a set, of today's workout or of a finished one. */
export const setEditor = () => ({
  fields: entry("kg"),
  title: "",
  target: null,
  kinds: COUNTED,
  secondsLabel,

  open(target) {
    this.target = target;
    this.kinds = target.set.duration_seconds ? [] : COUNTED; // seconds do not become repetitions
    this.fields = filled(entry("kg"), target.set);
    this.title = `${exerciseName(target.exercise_id)}, set ${target.index + 1}`;
    this.$refs.dialog.showModal();
  },

  touch() {
    this.fields.trouble = "";
  },

  step(name, direction) {
    this.fields = stepped(this.fields, name, direction);
  },

  switchUnit() {
    this.fields = switched(this.fields);
  },

  async save() {
    const { set, trouble } = entered(this.fields);
    this.fields.trouble = trouble ?? "";
    if (!set) return;
    this.$refs.dialog.close();
    const before = this.target.set;
    const changes = Object.fromEntries(Object.entries(set).filter(([key, value]) => value !== before[key] && value !== null));
    if (!Object.keys(changes).length) return;
    const outcome = await this.$store.training.modify(this.target.workout_id, before.event_id, changes);
    this.done(outcome, `Changed to ${setText(set)}.`);
  },

  async remove() {
    this.$refs.dialog.close();
    const outcome = await this.$store.training.remove(this.target.workout_id, this.target.set.event_id);
    this.done(outcome, `Deleted: ${setText(this.target.set)}.`);
  },

  done(outcome, text) {
    if (outcome?.state === "done") this.$store.page.say(text);
    this.$dispatch("set-changed");
  },
});
