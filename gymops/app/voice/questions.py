"""Questions the grammar can answer from what is at hand; they write nothing."""

from __future__ import annotations

import re

from gymops.app.library import Exercise
from gymops.app.voice import wording
from gymops.app.voice.context import Context
from gymops.app.voice.outcome import Answer

_RECORD = re.compile(r"\b(?:records?|prs?|pbs?|personal (?:best|record)s?|best|max|one rep max|1 rep max)\b")
_LAST = re.compile(r"\b(?:last|previous|just|before)\b")
_WHICH = re.compile(r"\b(?:which|what|what's|whats)\b.*\b(?:exercise|on|doing|current)\b")
_MANY = re.compile(r"how many (?:sets|exercises)\b.*")
_HELP = re.compile(r"help(?: me)?|what (?:can|do|should) i (?:say|do)|how does (?:this|it) work|commands")

HELP = (
    "Say the set: bench press 80 kilos for 10. Then 80 for 8, same again, undo, make that 9 reps, "
    "next exercise squat, finish workout."
)


def answer(line: str, named: Exercise | None, context: Context) -> Answer | None:
    """An answer, or None if this is not known here."""
    if _HELP.fullmatch(line):
        return Answer(HELP)
    if _MANY.fullmatch(line):
        return _how_many(context)
    if _RECORD.search(line):
        return _record(named or context.focus, context)
    if _LAST.search(line) and re.search(r"\b(?:what|what's|whats|how)\b", line):
        return _last(named or context.focus, context)
    if _WHICH.search(line):
        return _current(context)
    return None


def _how_many(context: Context) -> Answer:
    if context.workout is None:
        return Answer("No workout is running.")
    done = [one.exercise_id for one in context.sets()]
    sets, exercises = len(done), len(set(done))
    return Answer(f"{sets} set{'s' * (sets != 1)} of {exercises} exercise{'s' * (exercises != 1)}.")


def _record(exercise: Exercise | None, context: Context) -> Answer:
    row = context.records.get(exercise.id) if exercise else None
    if exercise is None or not row:
        return Answer("Your records are on the records page.")
    longest, heaviest = row.get("longest"), row.get("max_weight")
    if exercise.timed and longest:
        return Answer(f"{wording.title(exercise)}: {wording.duration(longest['duration_seconds'])}.")
    if not heaviest:
        return Answer(f"There is no record of {wording.name(exercise)} yet.")
    best = wording.measure(
        exercise, heaviest["weight"], heaviest["unit"], reps=heaviest["reps"], seconds=None
    )
    return Answer(f"{wording.title(exercise)}: {best}.")


def _last(exercise: Exercise | None, context: Context) -> Answer:
    last = context.last_set(exercise)
    if exercise is None or last is None:
        return Answer("Nothing of it is logged in this workout; earlier ones are in the history.")
    return Answer(f"{wording.title(exercise)}, {wording.logged(exercise, last)}.")


def _current(context: Context) -> Answer:
    focus = context.focus
    if focus is None:
        return Answer("No exercise is chosen." if context.workout else "No workout is running.")
    return Answer(f"{wording.title(focus)}.")
