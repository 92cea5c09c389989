// The exercises: loaded once, remembered for the next visit, searched without a request.
import { all } from "./api.js";
import { titled } from "./format.js";
import { slug } from "./ids.js";
import { store } from "./storage.js";

let names = new Map();
let items = [];

const spoken = ({ name, id, category, aliases }) => [name, id, category ?? "", ...(aliases ?? [])];

function use(list) {
  items = list.map((item) => ({ ...item, words: spoken(item).join(" ").toLowerCase() }));
  names = new Map(list.map(({ id, name }) => [id, name]));
}

export async function loadLibrary() {
  use(store.get("exercises", []));
  const list = await all("/exercises");
  use(list);
  store.set("exercises", list);
}

export const exerciseName = (id) => names.get(id) ?? titled(id ?? "");

/** How a set of it usually counts, before any has been logged: "weight", "body" or "time". */
export function kindOf(id) {
  const item = items.find((one) => one.id === id);
  if (item?.timed) return "time";
  return item?.bodyweight ? "body" : "weight";
}

/** Exercises with every word of the query, those whose name begins with it first; all of them for "". */
export function search(query, limit = 40) {
  const text = query.trim().toLowerCase();
  const words = text.split(/\s+/).filter(Boolean);
  const found = items.filter((item) => words.every((word) => item.words.includes(word)));
  const rank = ({ name }) => (name.toLowerCase().startsWith(text) ? 0 : 1);
  return found.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name)).slice(0, limit);
}

/** The exercise a person may add though the library lacks it, or null. */
export function unlisted(query) {
  const id = slug(query);
  return !id || names.has(id) ? null : { id, name: query.trim() };
}
