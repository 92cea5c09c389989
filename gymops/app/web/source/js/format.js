// How things are written on the page. Numbers keep what the person entered: 62.5 kg stays 62.5 kg.

export const number = (value) => String(Math.round(value * 100) / 100);

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** 75 -> "1:15", 45 -> "45 s", 4000 -> "1:06:40" */
export function seconds(total) {
  if (total < 60) return `${total} s`;
  const two = (value) => String(value).padStart(2, "0");
  const [h, m, s] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A set in the fewest words: "80 kg × 10", "Bodyweight × 12", "1:00", "20 kg · 45 s". */
export function setText(set) {
  if (set.duration_seconds) {
    return set.weight ? `${number(set.weight)} ${set.unit} · ${seconds(set.duration_seconds)}` : seconds(set.duration_seconds);
  }
  const load = set.weight ? `${number(set.weight)} ${set.unit}` : "Bodyweight";
  return set.reps == null ? load : `${load} × ${set.reps}`;
}

/** What the button that edits it is called. */
export const setLabel = (set, index) => `Edit set ${index + 1} ${setText(set)}${set.pending ? ", not sent yet" : ""}`;

/** Several sets, saying a weight once as long as it stays: "80 kg × 10, 10, 8 · 85 kg × 5". */
export function setsText(sets) {
  const groups = [];
  for (const set of sets) {
    const load = set.duration_seconds ? null : `${set.weight} ${set.unit}`;
    const last = groups[groups.length - 1];
    if (load !== null && last && last.load === load) last.text += `, ${set.reps}`;
    else groups.push({ load, text: setText(set) });
  }
  // A line ends between two groups, never within one.
  return groups.map(({ text }) => text.replace(/ /g, "\u00a0")).join(" · ");
}

/** "Today", "Yesterday", "Mon 3 Mar", with the year where it is another one. */
export function day(moment, now = new Date()) {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return "";
  const midnight = (value) => new Date(value.getFullYear(), value.getMonth(), value.getDate()).getTime();
  const ago = Math.round((midnight(now) - midnight(date)) / 86_400_000);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  const year = date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", ...year }).format(date);
}

/** "3 Mar", with the year where it is another one. */
export const shortDay = (moment) => day(moment).replace(/^\w{3},? (?=\d)/, "");

export const clock = (moment) =>
  new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }).format(new Date(moment));

/** Between two moments: "52 min", "1 h 05 min". */
export function span(from, to) {
  const minutes = Math.max(0, Math.round((new Date(to) - new Date(from)) / 60_000));
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

export const volume = (kg) => (kg ? `${new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 }).format(kg)} kg` : "");

/** "bench-press" -> "Bench Press", for exercises the library does not name. */
export const titled = (id) => id.split("-").map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(" ");
