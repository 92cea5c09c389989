// Which records fell, and how they are told.
import { number, seconds, volume } from "./format.js";

const KINDS = [
  ["max_weight", "Heaviest", (entry) => [entry.weight, entry.unit], (entry) => entry.weight_kg],
  ["estimated_1rm", "Est. 1RM", (entry) => [entry.e1rm, entry.unit], (entry) => entry.e1rm_kg],
  ["max_volume", "Set volume", (entry) => [entry.volume, "kg"], (entry) => entry.volume],
  ["longest", "Longest", (entry) => [entry.duration_seconds, "s"], (entry) => entry.duration_seconds],
];

const NAMES = { ...Object.fromEntries(KINDS.map(([kind, name]) => [kind, name])), reps: "Most at these reps" };

/** The records one event broke; a first set breaks none. */
export function broken(before, after, event_id) {
  if (!before || !after) return [];
  return KINDS.flatMap(([kind, , shown, size]) => {
    const [old, now] = [before[kind], after[kind]];
    if (!now || now.event_id !== event_id || (old && size(now) <= size(old))) return [];
    const [value, unit] = shown(now);
    return [{ exercise_id: after.exercise_id, kind, value, unit }];
  });
}

/** "Heaviest: 82.5 kg" */
export function recordText({ kind, value, unit }) {
  const amount = unit === "s" ? seconds(value) : `${number(value)} ${unit ?? ""}`.trim();
  return `${NAMES[kind] ?? "Record"}: ${amount}`;
}

/** An exercise's records for a list: [{name, value, date}]. */
export function listed(row) {
  const { max_weight, estimated_1rm, max_volume, longest } = row;
  const most = max_weight ? null : mostReps(row);
  const lines = [
    ["Heaviest", max_weight, load],
    ["Estimated 1RM", estimated_1rm, (entry) => `${number(entry.e1rm)} ${entry.unit}`],
    ["Best set volume", max_volume, (entry) => volume(entry.volume)],
    ["Most reps", most, (entry) => `${entry.reps}`],
    ["Longest", longest, (entry) => seconds(entry.duration_seconds)],
  ];
  return lines.filter(([, entry]) => entry).map(([name, entry, told]) => ({ name, value: told(entry), date: entry.date }));
}

/** An exercise's best in one line: "80 kg × 5 · 1RM ≈ 93.3 kg". */
export function best(row) {
  if (row?.max_weight) {
    const one = row.estimated_1rm;
    return [load(row.max_weight), one && `1RM ≈ ${number(one.e1rm)} ${one.unit}`].filter(Boolean).join(" · ");
  }
  if (row?.longest) return seconds(row.longest.duration_seconds);
  const most = row && mostReps(row);
  return most ? `${most.reps} reps` : "";
}

/** Heaviest weight of each number of repetitions, fewest first. */
export function byReps(row) {
  return Object.entries(row.by_rep_count ?? {})
    .filter(([, entry]) => entry.weight > 0)
    .map(([reps, entry]) => ({ reps: Number(reps), weight: `${number(entry.weight)} ${entry.unit}` }))
    .sort((a, b) => a.reps - b.reps);
}

const load = ({ weight, unit, reps }) => `${number(weight)} ${unit} × ${reps}`;

function mostReps({ by_rep_count = {} }) {
  const counts = Object.keys(by_rep_count).map(Number);
  const reps = Math.max(...counts);
  return counts.length ? { ...by_rep_count[reps], reps } : null;
}
