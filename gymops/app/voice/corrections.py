"""Taking the last set back, changing it, doing it again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gymops.app.library import Exercise
from gymops.app.voice import wording
from gymops.app.voice.context import Context, LoggedSet, Unit
from gymops.app.voice.measures import NAME, Measure, Weight, measures
from gymops.app.voice.numbers import value
from gymops.app.voice.outcome import Clarify, Emit, Missed, Outcome
from gymops.app.voice.phrases import phrases
from gymops.app.voice.sets import Lift, examples, log, resolve

_OF = rf"(?: (?:of|for|from|on) (?:the )?{NAME})?"
_OOPS = r"(?:(?:no|nope|wait|sorry|oops|whoops|hang on) )*"
_LAST = r"(?: (?:that|it|this|the|my|very|last|latest|previous|set|one|entry))"
_UNDO = phrases(
    rf"{_OOPS}undo{_LAST}*{_OF}",
    rf"{_OOPS}(?:scratch|delete|remove|erase|strike|take back){_LAST}+{_OF}",
    rf"(?:undo|delete|remove|scratch)(?: the| my)? last {NAME}(?: set)?",
    r"take (?:that|it) back",
)
_SEVERAL = phrases(r"(?:undo|delete|remove|scratch|erase) .*\b(?:sets|all|everything|first|both)\b.*")
_EXERCISE = phrases(rf"(?:delete|remove|undo)(?: the)? {NAME}")
_AGAIN = phrases(
    r"(?:the )?same(?: (?:again|thing|set|one|as before|as last time|time))*",
    r"(?:the )?same weight(?: and)?(?: the)?(?: same)? reps",
    r"(?:and |once )?again|ditto|once more",
    r"(?:repeat|redo)(?: (?:that|it|the|my|last|set))*",
    r"(?:do|log|did) (?:it|that|the same)(?: thing)? again",
    r"(?:one|won|1) more(?: (?:set|time|like that|of those|of the same))*",
    r"another(?: (?:one|set|of those))?",
)
_THAT = r"(?:that|it|this|(?:the |my )?last (?:set|one))"
_CHANGE = phrases(
    rf"{_OOPS}(?:make|change|correct|set|update|fix|edit) "
    rf"(?:{_THAT}|(?:the )?(?P<field>weight|reps))(?: to)? (?P<new>.+)",
    rf"{_OOPS}(?:correction|i meant?) (?P<meant>.+)",
    rf"{_OOPS}(?:that|it|this) should(?: have been|'ve been| be) (?P<wanted>.+)",
)
_DOUBTFUL = phrases(
    r"(?:(?:no|nope|wait|sorry|oops|whoops|hang on|actually|(?:that|it|this) was) )+(?P<rest>.+)"
)
_REPS = phrases(
    r"(?:(?P<add>add|plus|and) )?(?P<number>.+?) "
    r"(?P<more>more |extra |less |fewer )?reps?(?P<after> more| less)?"
)
_UNIT_ALONE: dict[str, Unit] = {
    "kilos": "kg",
    "kg": "kg",
    "kilograms": "kg",
    "pounds": "lb",
    "lb": "lb",
    "lbs": "lb",
}


def undo(line: str, named: Exercise | None, context: Context) -> Outcome | None:
    """ "undo", "scratch that", "delete the last set of squat"; None if it is no such sentence."""
    if named and _EXERCISE.fullmatch(line):
        name = wording.name(named)
        return Clarify(f"Delete the last set of {name}?", (f"delete the last set of {name}",))
    if _SEVERAL.fullmatch(line):
        return Clarify("I take back one set at a time, the last one.", ("undo",))
    if not _UNDO.fullmatch(line):
        return None
    last = context.last_set(named or context.focus)
    if last:
        exercise = context.exercise(last.exercise_id)
        payload = {"workout_id": context.workout_id, "original_event_id": last.event_id}
        said = f"Deleted {wording.name(exercise)}, {wording.logged(exercise, last)}."
        return Emit((("SetDeleted", payload),), said)
    others = dict.fromkeys(one.exercise_id for one in context.sets())
    names = [wording.name(context.exercise(one)) for one in others]
    return replace(
        _nothing_yet(context), choices=tuple(f"delete the last set of {one}" for one in names[-3:])
    )


def _nothing_yet(context: Context, named: Exercise | None = None) -> Clarify:
    """Nothing is logged of the exercise in hand."""
    if context.workout is None:
        return Clarify("No workout is running.")
    exercise = named or context.focus
    what = f"set of {wording.name(exercise)}" if exercise else "set"
    return Clarify(f"No {what} is logged yet.")


def again(line: str, context: Context) -> Outcome | None:
    """ "same again", "one more": the last set once more."""
    if not _AGAIN.fullmatch(line):
        return None
    focus = context.focus
    last = context.last_set(focus)
    if focus is None or last is None:
        return replace(_nothing_yet(context), choices=examples(focus, context) if focus else ())
    return log(Lift(focus, last.weight, last.unit, last.reps, last.seconds), context)


def change(line: str, context: Context, *, really: bool) -> Outcome | None:
    """ "make that 12 reps", "change it to 82.5"; after "actually" it is asked whether it was a new set."""
    match = _CHANGE.fullmatch(line)
    if match:
        rest = match["new"] or match["meant"] or match["wanted"]
        return _changed(tuple(rest.split()), match["field"], context, really)
    match = _DOUBTFUL.fullmatch(line)
    if not match or not measures(tuple(match["rest"].split())):
        return None
    rest = match["rest"]
    return Clarify("Change the last set, or log a new one?", (f"make that {rest}", rest))


def more_reps(line: str, context: Context) -> Outcome | None:
    """ "one more rep": the last set had it, or the next one has."""
    match = _REPS.fullmatch(line)
    if not match or not (match["add"] or match["more"] or match["after"]):
        return None
    said = match["number"]
    count = 1.0 if said in {"a", "an"} else value(tuple(said.split()))
    last = context.last_set(context.focus)
    if count is None or last is None or last.reps is None:
        return None
    fewer = "less" in line or "fewer" in line
    reps = last.reps - int(count) if fewer else last.reps + int(count)
    if not 1 <= reps <= 100:
        return None
    choices = (f"make that {reps} reps", f"same weight for {reps}")
    return Clarify("Change the last set, or log a new one?", choices)


def _changed(words: tuple[str, ...], field: str | None, context: Context, really: bool) -> Outcome:
    last = context.last_set(context.focus)
    if last is None:
        return _nothing_yet(context)
    exercise = context.exercise(last.exercise_id)
    if len(words) == 1 and words[0] in _UNIT_ALONE:
        return _modified(
            Lift(exercise, last.weight, _UNIT_ALONE[words[0]], last.reps, last.seconds), last, context
        )
    readings = measures(words)
    clean = [measure for cost, measure in readings if cost == readings[0][0]]
    if not clean:
        return Missed()
    if len(clean) > 1 or clean[0].several:
        return Clarify("I heard that in more than one way. What should the last set be?")
    measure = _completed(clean[0], field, last)
    if isinstance(measure, Clarify):
        return measure
    lift = resolve(measure, exercise, context, really=really)
    if isinstance(lift, Clarify):
        return Clarify(lift.question, tuple(_as_change(choice, exercise) for choice in lift.choices))
    return _modified(lift, last, context)


def _completed(measure: Measure, field: str | None, last: LoggedSet) -> Measure | Clarify:
    """What was not said stays as it was."""
    weight, reps, seconds = measure.weight, measure.reps, measure.seconds
    if measure.number is not None:
        meant = _meant(measure.number, field, last)
        if isinstance(meant, Clarify):
            return meant
        weight, reps, seconds = meant.weight, meant.reps, meant.seconds
    if seconds is None and reps is None:
        reps = last.reps
        seconds = last.seconds
    kept = Weight("bare", last.weight, last.unit) if last.weight else Weight("bodyweight", 0.0, last.unit)
    return Measure(
        weight or kept, reps if reps is None or reps == "same" else float(reps), seconds, marked=True
    )


def _meant(number: float, field: str | None, last: LoggedSet) -> Measure | Clarify:
    """A number alone is what it is near to: after 80 for 10, 12 are reps and 82.5 is a weight."""
    weight = Measure(Weight("bare", number, last.unit))
    counted = Measure(reps=number) if last.reps is not None else Measure(seconds=number)
    if field:
        return weight if field == "weight" else counted
    count = last.reps or last.seconds or 0
    as_weight = bool(last.weight) and last.weight / 2 <= number <= last.weight * 2
    as_count = number == int(number) and count / 2 <= number <= count * 2
    if as_weight == as_count:
        shown = wording.plain(number)
        counts = f"make that {shown} {'reps' if last.reps is not None else 'seconds'}"
        return Clarify(f"{shown} what?", (counts, f"make that {wording.weight(number, last.unit)}"))
    return weight if as_weight else counted


def _modified(lift: Lift, last: LoggedSet, context: Context) -> Emit | Clarify:
    """Only what differs is written."""
    payload: dict[str, Any] = {"workout_id": context.workout_id, "original_event_id": last.event_id}
    before = {"weight": last.weight, "reps": last.reps, "unit": last.unit, "duration_seconds": last.seconds}
    after = {"weight": lift.weight, "reps": lift.reps, "unit": lift.unit, "duration_seconds": lift.seconds}
    if (last.reps is None) != (lift.reps is None):
        return Clarify("Reps cannot become a time. Delete the set and log another?", ("undo",))
    changes = {name: now for name, now in after.items() if now != before[name]}
    if not changes:
        return Clarify(f"It is {lift.phrase} already.")
    said = f"Changed to {wording.name(lift.exercise)}, {lift.phrase}."
    return Emit((("SetModified", payload | changes),), said)


def _as_change(choice: str, exercise: Exercise) -> str:
    """A choice that names a new set, as one that changes the last."""
    really, _, rest = choice.rpartition("really ")
    prefix = "really " if really or choice.startswith("really ") else ""
    return f"{prefix}make that {rest.removeprefix(wording.name(exercise)).strip()}"
