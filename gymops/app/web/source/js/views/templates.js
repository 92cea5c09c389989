import { day, number } from "../format.js";
import { exerciseName } from "../library.js";

export const templatesView = () => ({
  init() {
    this.$store.page.arrived();
    this.$store.templates.load();
    this.$store.training.load();
  },

  line(plan) {
    const name = this.$store.page.library >= 0 ? exerciseName(plan.exercise_id) : "";
    const { target_sets, target_reps, target_weight, target_unit } = plan;
    const sets = target_sets && target_reps ? `${target_sets} × ${target_reps}` : target_sets ? `${target_sets} sets` : "";
    return { name, target: [sets, target_weight ? `${number(target_weight)} ${target_unit}` : ""].filter(Boolean).join(" · ") };
  },

  used({ last_used_at, use_count }) {
    if (!use_count) return "Not used yet";
    return last_used_at ? `Last used ${day(last_used_at).replace(/^[TY]/, (first) => first.toLowerCase())}` : `Used ${use_count} times`;
  },

  async rename({ id, name }) {
    const { dialog, templates } = this.$store;
    const value = await dialog.ask({ title: "Rename template", label: "Name", value: name, action: "Rename" });
    if (value && value !== name) templates.rename(id, value);
  },

  async remove({ id, name }) {
    const { dialog, templates } = this.$store;
    const text = "Finished workouts that began from it stay as they are.";
    const sure = await dialog.ask({ title: `Delete “${name}”?`, text, action: "Delete template", danger: true });
    if (sure) templates.remove(id);
  },
});
