// Everything the page writes goes through here: kept in localStorage under an id chosen now, sent in order,
// and forgotten only when the server has answered. Sending the same id twice is harmless, so a request whose
// answer was lost is simply sent again.
import { request } from "./api.js";
import { uuid } from "./ids.js";
import { store } from "./storage.js";

const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 60_000;

export class Outbox {
  /** `changed()` is called whenever what waits, or whether sending fails, has changed. */
  constructor(changed) {
    this.changed = changed;
    this.user = "default";
    this.failing = false;
    this.wait = FIRST_WAIT_MS;
    this.waiters = new Map();
    this.memory = null; // what waits, where nothing can be stored: it lives as long as the page
    addEventListener("online", () => this.flush());
  }

  /** Each person's unsent writes are their own. */
  open(user) {
    this.user = user;
    this.memory = null;
    this.changed();
    return this.flush();
  }

  get entries() {
    return this.memory ?? store.get(`outbox.${this.user}`, []);
  }

  keep(entries) {
    this.memory = store.set(`outbox.${this.user}`, entries) ? null : entries;
    this.changed();
  }

  /** Ends as {state: "done", data}, {state: "refused", error} or {state: "waiting"} (kept, sent later). */
  send(path, body) {
    const id = uuid();
    const result = new Promise((resolve) => this.waiters.set(id, resolve));
    this.keep([...this.entries, { id, path, body: { event_id: id, ...body } }]);
    this.flush();
    return result;
  }

  drop() {
    this.keep([]);
    this.failing = false;
    this.changed();
  }

  flush() {
    this.running ??= this.sendAll().finally(() => (this.running = null));
    return this.running;
  }

  async sendAll() {
    clearTimeout(this.timer);
    for (let entry = this.entries[0]; entry; entry = this.entries[0]) {
      let outcome;
      try {
        outcome = { state: "done", data: await request("POST", entry.path, entry.body) };
      } catch (error) {
        if (!error.final) return this.later(error);
        outcome = { state: "refused", error };
      }
      this.failing = false;
      this.wait = FIRST_WAIT_MS;
      this.settle(entry, outcome);
      this.keep(this.entries.filter(({ id }) => id !== entry.id));
    }
    return undefined;
  }

  later(error) {
    this.failing = true;
    this.changed();
    for (const id of [...this.waiters.keys()]) this.answer(id, { state: "waiting", error });
    if (error.status === 401) return; // sent again after signing in
    this.timer = setTimeout(() => this.flush(), this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }

  settle(entry, outcome) {
    const told = this.answer(entry.id, outcome);
    dispatchEvent(new CustomEvent("gymops:settled", { detail: { entry, outcome, told } }));
  }

  answer(id, outcome) {
    const resolve = this.waiters.get(id);
    this.waiters.delete(id);
    resolve?.(outcome);
    return Boolean(resolve);
  }
}
