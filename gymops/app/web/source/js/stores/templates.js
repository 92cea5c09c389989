// Templates: workouts to begin from.
import Alpine from "../alpine.js";
import { uuid } from "../ids.js";

const page = () => Alpine.store("page");

export const templates = {
  items: [],
  stage: "loading", // loading | ready | failed

  async load() {
    try {
      const list = await page().load("/templates?limit=100");
      this.items = list.items;
      this.stage = "ready";
    } catch {
      this.stage = "failed";
    }
  },

  /** A template of what was done: so many sets at the weight and repetitions of the heaviest one. */
  create(name, workout) {
    const done = workout.exercises.filter(({ sets }) => sets.length);
    const exercises = done.length ? done : workout.exercises;
    return this.write(`${name} saved as a template.`, "TemplateCreated", {
      template_id: uuid(),
      name,
      exercise_ids: exercises.map(({ exercise_id }) => exercise_id),
      exercises: exercises.map(plan),
      source_workout_id: workout.id,
    });
  },

  rename(template_id, name) {
    return this.write(`Renamed to ${name}.`, "TemplateUpdated", { template_id, name });
  },

  remove(template_id) {
    return this.write("Template deleted.", "TemplateDeleted", { template_id });
  },

  async write(said, event_type, payload) {
    const outcome = await page().write(event_type, payload);
    if (outcome?.state !== "done") return;
    page().say(said);
    await this.load();
  },
};

function plan({ exercise_id, sets }) {
  const top = sets.reduce((best, set) => (!best || set.weight > best.weight ? set : best), null);
  return {
    exercise_id,
    target_sets: sets.length || null,
    target_reps: top?.reps ?? null,
    target_weight: top?.weight ?? null,
    target_unit: top?.unit ?? "kg",
    set_type: top?.duration_seconds ? "timed" : "standard",
  };
}
