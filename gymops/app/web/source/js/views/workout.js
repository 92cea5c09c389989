import { day, plural, seconds, setsText, span } from "../format.js";
import { exerciseName, search, unlisted } from "../library.js";

/** The workout in progress, or the ways to begin one. */
export const workoutView = () => ({
  templates: [],
  recent: null,
  now: Date.now(),
  timer: null,

  init() {
    this.$store.page.arrived();
    this.timer = setInterval(() => (this.now = Date.now()), 1000);
    const showChip = () => this.$nextTick(() => this.showChip());
    this.$store.training.load().then(showChip);
    this.$watch("$store.training.shown", showChip);
    this.$watch("$store.training.workout", (workout) => workout || this.beginnings());
    this.beginnings();
  },

  destroy() {
    clearInterval(this.timer);
  },

  async beginnings() {
    const { page } = this.$store;
    try {
      const [templates, history] = [await page.load("/templates?limit=50"), await page.load("/history?limit=1")];
      this.templates = templates.items;
      this.recent = history.items[0] ?? null;
    } catch {
      // said by the page; beginning an empty workout still works
    }
  },

  get workout() {
    return this.$store.training.workout;
  },

  get exercises() {
    return this.workout?.exercises ?? [];
  },

  get position() {
    return this.exercises.findIndex(({ exercise_id }) => exercise_id === this.$store.training.shown);
  },

  get open() {
    return this.exercises.filter(({ exercise_id }) => exercise_id === this.$store.training.shown);
  },

  /** The row of exercises scrolls by itself to the one whose card is open. */
  showChip() {
    const chips = this.$refs.chips;
    const chip = chips?.querySelector("[aria-pressed=true]");
    if (chip) chips.scrollLeft = chip.offsetLeft - chips.offsetLeft - (chips.clientWidth - chip.offsetWidth) / 2;
  },

  turn(by) {
    const next = this.exercises[this.position + by];
    if (next) this.$store.training.focus(next.exercise_id);
  },

  get title() {
    return this.workout?.name ?? "Workout";
  },

  get elapsed() {
    const started = this.workout.started_at;
    const forgotten = this.now - new Date(started) > 12 * 3_600_000;
    return forgotten ? `since ${day(started)}` : span(started, this.now);
  },

  get rest() {
    const last = this.$store.training.last;
    if (!last?.logged_at) return "";
    const passed = Math.floor((this.now - new Date(last.logged_at)) / 1000);
    return passed >= 0 && passed < 3600 ? seconds(passed) : "";
  },

  get recentText() {
    if (!this.recent) return "";
    const { stats, completed_at } = this.recent;
    return `Last: ${day(completed_at)} · ${plural(stats.exercise_count, "exercise")}, ${plural(stats.total_sets, "set")}`;
  },

  name(id) {
    return this.$store.page.library >= 0 ? exerciseName(id) : id;
  },

  summary({ sets }) {
    return sets.length ? setsText(sets) : "No sets yet";
  },

  templateText(template) {
    return template.exercise_ids.map((id) => this.name(id)).join(", ");
  },

  async discard() {
    const sure = await this.$store.dialog.ask({
      title: "Discard this workout?",
      text: "Its sets will not count in the history or the records.",
      action: "Discard workout",
      danger: true,
    });
    if (sure) this.$store.training.discard();
  },
});

/** The dialog that adds an exercise. */
export const picker = () => ({
  query: "",

  open() {
    this.query = "";
    this.$refs.dialog.showModal();
    this.$refs.query.focus();
  },

  get found() {
    return this.$store.page.library >= 0 ? search(this.query) : [];
  },

  get other() {
    return this.$store.page.library >= 0 ? unlisted(this.query) : null;
  },

  get count() {
    return this.query.trim() ? plural(this.found.length, "exercise") : "";
  },

  first() {
    const exercise = this.found[0] ?? this.other;
    if (exercise) this.pick(exercise);
  },

  pick({ id }) {
    this.$refs.dialog.close();
    this.$store.training.add(id);
  },
});

/** The dialog that finishes the workout. */
export const finisher = () => ({
  notes: "",

  open() {
    this.$refs.dialog.showModal();
  },

  get summary() {
    const { sets, workout } = this.$store.training;
    return `${plural(workout?.exercises.length ?? 0, "exercise")}, ${plural(sets.length, "set")}`;
  },

  finish() {
    this.$refs.dialog.close();
    this.$store.training.finish(this.notes);
    this.notes = "";
  },
});
