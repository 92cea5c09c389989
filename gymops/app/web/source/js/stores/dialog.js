import Alpine from "../alpine.js";

// One dialog for questions: a confirmation, or a name to give. `ask` ends with false (or null) when closed.
export const dialog = {
  title: "",
  text: "",
  action: "",
  danger: false,
  label: null, // of the text field, when there is one
  value: "",

  ask(question) {
    Object.assign(this, { text: "", danger: false, label: null, value: "" }, question);
    const element = document.getElementById("ask");
    this.answer = this.label === null ? false : null;
    element.showModal();
    if (this.label !== null) Alpine.nextTick(() => document.getElementById("ask-value").select());
    return new Promise((resolve) => {
      element.addEventListener("close", () => resolve(this.answer), { once: true });
    });
  },

  accept() {
    if (this.label !== null && !this.value.trim()) return;
    this.answer = this.label === null ? true : this.value.trim();
    this.close();
  },

  close() {
    document.getElementById("ask").close();
  },
};
