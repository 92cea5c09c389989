import { clock, day, plural, setLabel, setText, span, volume } from "../format.js";
import { exerciseName } from "../library.js";

const titleOf = (workout) => workout.name ?? "Workout";

const facts = ({ stats, started_at, completed_at }) =>
  [span(started_at, completed_at), plural(stats.total_sets, "set"), volume(stats.total_volume)].filter(Boolean);

/** Finished workouts, newest first, page after page. */
export const historyView = () => ({
  items: [],
  next: null,
  stage: "loading", // loading | ready | failed

  init() {
    this.$store.page.arrived();
    this.more();
  },

  async more() {
    const cursor = this.next ? `&cursor=${encodeURIComponent(this.next)}` : "";
    this.stage = "loading";
    try {
      const page = await this.$store.page.load(`/history?limit=20${cursor}`);
      const before = this.items.length;
      this.items = [...this.items, ...page.items];
      this.next = page.next;
      this.stage = "ready";
      if (before) this.$nextTick(() => this.$refs.list.children[before + 1]?.querySelector("a")?.focus());
    } catch {
      this.stage = "failed";
    }
  },

  title: titleOf,
  facts: (workout) => facts(workout).join(" · "),
  date: ({ completed_at }) => day(completed_at),

  exercises(workout) {
    const ids = workout.exercises.map(({ exercise_id }) => exercise_id);
    return this.$store.page.library >= 0 ? ids.map(exerciseName).join(", ") : "";
  },
});

/** One finished workout. */
export const workoutDetail = () => ({
  id: null,
  workout: null,
  stage: "loading", // loading | ready | missing | failed

  init() {
    this.id = this.$store.page.id;
    this.load(true);
  },

  async load(arriving = false) {
    try {
      this.workout = await this.$store.page.load(`/history/${encodeURIComponent(this.id)}`, null);
      this.stage = this.workout ? "ready" : "missing";
    } catch {
      this.stage = "failed";
    }
    if (arriving) this.$store.page.arrived();
  },

  get title() {
    return this.workout ? titleOf(this.workout) : "Workout";
  },

  get date() {
    return this.workout ? `${day(this.workout.completed_at)}, ${clock(this.workout.started_at)}` : "";
  },

  get facts() {
    return this.workout ? facts(this.workout) : [];
  },

  name(id) {
    return this.$store.page.library >= 0 ? exerciseName(id) : "";
  },

  setText,
  setLabel,

  edit(exercise_id, set, index) {
    this.$dispatch("edit-set", { workout_id: this.workout.id, exercise_id, set, index });
  },

  async saveAsTemplate() {
    const { dialog, templates } = this.$store;
    const value = this.workout.name ?? "";
    const name = await dialog.ask({ title: "Save as template", label: "Name", value, action: "Save template" });
    if (name) templates.create(name, this.workout);
  },
});
