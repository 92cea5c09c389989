// A set as it is being entered: three kinds, their fields as text, and what they come to.
import { number } from "./format.js";

export const STEPS = { kg: 2.5, lb: 5, reps: 1, seconds: 5 };

const LIMITS = { weight: [0, 1500], reps: [1, 1000], seconds: [1, 86_400] };

// `carried` is the weight held during a timed set: kept when such a set is repeated or changed.
export const entry = (unit) => ({
  kind: "weight",
  weight: "20",
  reps: "10",
  seconds: "60",
  carried: 0,
  unit,
  trouble: "",
});

/** The fields filled from a set that was logged, or from what a template asks. */
export function filled(fields, set) {
  const kind = set.duration_seconds ? "time" : set.weight ? "weight" : "body";
  return {
    ...fields,
    kind,
    unit: set.unit ?? fields.unit,
    weight: set.weight ? number(set.weight) : fields.weight,
    carried: kind === "time" ? set.weight : 0,
    reps: set.reps ? String(set.reps) : fields.reps,
    seconds: set.duration_seconds ? String(set.duration_seconds) : fields.seconds,
  };
}

export function fromPlan(fields, plan) {
  if (plan.set_type === "timed") return { ...fields, kind: "time" };
  const set = { weight: plan.target_weight ?? Number(fields.weight), reps: plan.target_reps, unit: plan.target_unit };
  return filled(fields, set);
}

export const secondsLabel = ({ carried, unit }) => (carried ? `Seconds, with ${number(carried)} ${unit}` : "Seconds");

/** One press of - or +: to the next multiple, so that 21 kg becomes 22.5 and not 23.5. */
export function stepped(fields, name, direction) {
  const step = name === "weight" ? STEPS[fields.unit] : STEPS[name];
  const now = amount(fields[name]);
  const from = Number.isNaN(now) ? 0 : now;
  const next = direction > 0 ? (Math.floor(from / step + 1e-9) + 1) * step : (Math.ceil(from / step - 1e-9) - 1) * step;
  const [least, most] = LIMITS[name];
  return { ...fields, trouble: "", [name]: number(Math.min(most, Math.max(least, next))) };
}

/** To the other unit, at the nearest weight that can be loaded. */
export function switched(fields) {
  const unit = fields.unit === "kg" ? "lb" : "kg";
  const weight = amount(fields.weight) * (unit === "lb" ? 1 / 0.45359237 : 0.45359237);
  const near = Math.round(weight / STEPS[unit]) * STEPS[unit];
  return { ...fields, unit, weight: Number.isNaN(near) ? fields.weight : number(near) };
}

/** {set} to log, or {trouble} to show. */
export function entered(fields) {
  const weight = { weight: amount(fields.weight), body: 0, time: fields.carried }[fields.kind];
  if (!within("weight", weight)) return { trouble: "The weight must be between 0 and 1500." };
  if (fields.kind === "time") {
    const duration_seconds = amount(fields.seconds);
    if (!whole("seconds", duration_seconds)) return { trouble: "The time must be 1 to 86400 seconds, or like 1:30." };
    return { set: { weight, reps: null, unit: fields.unit, duration_seconds } };
  }
  const reps = amount(fields.reps);
  if (!whole("reps", reps)) return { trouble: "Reps must be a whole number between 1 and 1000." };
  return { set: { weight, reps, unit: fields.unit } };
}

/** What a person typed: "62,5", "62.5", "1:15". NaN for anything else. */
function amount(text) {
  const plain = String(text).trim().replace(",", ".");
  const clock = /^(\d+):([0-5]\d)$/.exec(plain);
  if (clock) return Number(clock[1]) * 60 + Number(clock[2]);
  return /^\d+(\.\d+)?$/.test(plain) ? Number(plain) : NaN;
}

const within = (name, value) => value >= LIMITS[name][0] && value <= LIMITS[name][1];
const whole = (name, value) => Number.isInteger(value) && within(name, value);
