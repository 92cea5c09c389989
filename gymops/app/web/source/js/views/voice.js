import { canListen, listen, speak } from "../speech.js";

/** What is said or typed goes to the same place; its answer is shown and, unless switched off, spoken. */
export const voice = () => ({
  text: "",
  canListen: canListen(),
  listening: null,
  busy: false,

  destroy() {
    this.listening?.stop();
  },

  async send(transcript = this.text) {
    const words = transcript.trim();
    if (!words || this.busy) return;
    const { page, training } = this.$store;
    this.busy = true;
    page.celebrate([]);
    page.say("…");
    const outcome = page.told(await page.outbox.send("/voice/process", { transcript: words }));
    this.busy = false;
    if (outcome) this.text = "";
    if (outcome?.state === "done") {
      await training.load();
      this.answered(outcome.data);
    }
  },

  answered({ outcome, say, events = [], choices = [], records = [] }) {
    const { page, training } = this.$store;
    const set = events.find(({ event_type }) => event_type === "SetLogged");
    page.say(say, { choices, undo: Boolean(set), tone: outcome === "nothing" ? "warn" : "calm" });
    if (page.spoken) speak(say);
    const touched = events.filter(({ payload }) => payload.exercise_id).pop();
    if (touched) training.focus(touched.payload.exercise_id);
    training.keepShown();
    page.celebrate(records);
    const finished = events.find(({ event_type }) => event_type === "WorkoutCompleted");
    if (finished) page.go(`history/${finished.payload.workout_id}`);
  },

  /** A clarification's button: it says the whole sentence again, made plain. */
  choose(choice) {
    this.send(choice);
    this.$nextTick(() => document.getElementById("message").focus());
  },

  toggle() {
    if (this.listening) {
      this.listening.stop();
      return;
    }
    const { page } = this.$store;
    page.hush();
    let final = false;
    this.listening = listen({
      heard: (text, complete) => {
        this.text = text;
        final = complete;
      },
      ended: (trouble) => {
        this.listening = null;
        if (trouble) page.say(trouble, { tone: "warn" });
        else if (final) this.send();
      },
    });
  },
});
