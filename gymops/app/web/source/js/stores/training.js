// The workout in progress: the server's, with what is still on its way to it laid over.
import Alpine from "../alpine.js";
import { find, get } from "../api.js";
import { setText } from "../format.js";
import { uuid } from "../ids.js";
import { exerciseName } from "../library.js";
import { applied } from "../overlay.js";
import { broken } from "../records.js";

const page = () => Alpine.store("page");

export const training = {
  ready: false,
  failed: false,
  base: null,
  shown: null, // the exercise whose card is open
  changes: 0, // events the server has taken; an answer older than the last one is asked for again

  init() {
    addEventListener("gymops:settled", ({ detail }) => this.settled(detail));
  },

  get workout() {
    const events = page().unsent.filter(({ path }) => path === "/events");
    return events.reduce((workout, { id, body }) => applied(workout, { event_id: id, ...body }), this.base);
  },

  get sets() {
    return (this.workout?.exercises ?? []).flatMap(({ exercise_id, sets }) =>
      sets.map((set, index) => ({ ...set, exercise_id, index })),
    );
  },

  async load() {
    const before = this.changes;
    try {
      const { data } = await get("/projections/current_workout");
      if (before !== this.changes) return this.load();
      this.base = data;
      this.failed = false;
    } catch {
      this.failed = !this.ready;
    }
    this.ready = true;
    this.keepShown();
    return undefined;
  },

  settled({ entry, outcome, told }) {
    this.changes++;
    if (outcome.state === "done") {
      const events = entry.path === "/events" ? [outcome.data] : (outcome.data.events ?? []);
      for (const event of events) this.base = applied(this.base, event);
    }
    if (!told) page().late(outcome);
    this.load();
  },

  /** Some exercise's card is always open: the one chosen, or the one last worked on. */
  keepShown() {
    const ids = (this.workout?.exercises ?? []).map(({ exercise_id }) => exercise_id);
    if (ids.includes(this.shown)) return;
    this.shown = ids.includes(this.workout?.focus_exercise) ? this.workout.focus_exercise : (ids[0] ?? null);
  },

  focus(exercise_id) {
    this.shown = exercise_id;
  },

  async start(template = null) {
    const payload = { workout_id: uuid() };
    if (template) {
      const { id, name, exercise_ids, exercises } = template;
      Object.assign(payload, { name, from_template_id: id, exercise_ids, exercise_plans: exercises });
    }
    page().celebrate([]);
    page().hush();
    this.shown = null;
    page().go("workout");
    const sent = page().write("WorkoutStarted", payload);
    this.keepShown();
    const outcome = await sent;
    if (outcome?.state === "done") page().say(template ? `${template.name} started.` : "Workout started.");
    this.keepShown();
  },

  async add(exercise_id) {
    this.shown = exercise_id;
    if (this.workout.exercises.some((exercise) => exercise.exercise_id === exercise_id)) return;
    const outcome = await page().write("ExerciseAdded", { workout_id: this.workout.id, exercise_id });
    if (outcome?.state === "done") page().say(`${exerciseName(exercise_id)} added.`);
  },

  /** Log a set, and tell when it broke a record; the card promises the record as it was before. */
  async log(set, recorded) {
    const payload = { workout_id: this.workout.id, ...set };
    page().celebrate([]);
    const outcome = await page().write("SetLogged", payload);
    if (outcome?.state !== "done") return;
    page().say(`${exerciseName(set.exercise_id)}: ${setText(set)} logged.`, { tone: "quiet" });
    const before = await recorded;
    if (!before) return;
    const row = await find(`/projections/personal_records:${set.exercise_id}`).catch(() => null);
    page().celebrate(broken(before, row?.data, outcome.data.event_id));
  },

  /** The set logged last, wherever it is; what is still being sent is later than all the server has. */
  get last() {
    const moment = (set) => (set.pending ? Infinity : (set.position ?? 0));
    return this.sets.reduce((last, set) => (!last || moment(set) >= moment(last) ? set : last), null);
  },

  async undo() {
    const set = this.last;
    if (!set) return;
    this.shown = set.exercise_id;
    page().celebrate([]);
    const outcome = await this.remove(this.workout.id, set.event_id, "undo");
    if (outcome?.state === "done") page().say(`Undone: ${exerciseName(set.exercise_id)}, ${setText(set)}.`);
  },

  remove(workout_id, original_event_id, reason = null) {
    return page().write("SetDeleted", { workout_id, original_event_id, reason });
  },

  modify(workout_id, original_event_id, changes) {
    return page().write("SetModified", { workout_id, original_event_id, ...changes });
  },

  async finish(notes) {
    const { id } = this.workout;
    const count = this.sets.length;
    page().celebrate([]);
    const outcome = await page().write("WorkoutCompleted", { workout_id: id, notes: notes.trim() || null });
    if (outcome?.state !== "done") return;
    page().say(`Workout finished: ${count} ${count === 1 ? "set" : "sets"}.`);
    page().go(`history/${id}`);
  },

  async discard() {
    page().celebrate([]);
    const outcome = await page().write("WorkoutDiscarded", { workout_id: this.workout.id });
    if (outcome?.state === "done") page().say("Workout discarded.");
  },
};
