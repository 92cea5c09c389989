"""Whether a set somebody else made of a sentence says what the sentence says, no more and no less."""

from __future__ import annotations

from collections.abc import Sequence

from gymops.app.library import Exercise
from gymops.app.voice.context import LoggedSet, Unit
from gymops.app.voice.measures import UNITS
from gymops.app.voice.names import stem
from gymops.app.voice.numbers import numbers
from gymops.app.voice.sets import Lift
from gymops.app.voice.tokens import sentence


def is_named(exercise: Exercise, transcript: str, exercises: Sequence[Exercise]) -> bool:
    """Whether more of the words said are in this exercise's names than in any other's."""
    said = {stem(word) for word in sentence(transcript).texts if len(word) > 2}
    shared = {one.id: len(said & _stems(one)) for one in exercises}
    mine = shared.pop(exercise.id, 0)
    return mine > max(shared.values(), default=0)


def _stems(exercise: Exercise) -> set[str]:
    return {stem(word) for name in (exercise.name, *exercise.aliases) for word in sentence(name).texts}


def said_all(lift: Lift, transcript: str, last: LoggedSet | None, unit: Unit) -> bool:
    """Whether every figure of the set was said, or is the last set's, and every figure said is in it.

    ``unit`` is what a weight is in where nothing is said.
    """
    words = sentence(transcript).texts
    said, leftover = _figures(words)
    units = {UNITS[word] for word in words if word in UNITS}
    if lift.unit not in (units or {unit}):
        return False
    kept = {last.weight, last.reps, last.seconds} if last else set()
    seconds = float(lift.seconds or 0)
    times = {seconds, seconds / 60, seconds // 60, seconds % 60}
    if lift.weight and lift.weight not in said | kept:
        return False
    if lift.reps is not None and lift.reps not in said | kept:
        return False
    if lift.seconds is not None and not (times & said or lift.seconds in kept):
        return False
    return leftover <= {lift.weight, lift.reps} | times


def _figures(words: tuple[str, ...]) -> tuple[set[float], set[float]]:
    """Every number the words can be, and those that must be accounted for: the longest, one after another."""
    every: set[float] = set()
    longest: set[float] = set()
    at = 0
    for start in range(len(words)):
        found = [(value, end) for value, end, bent in numbers(words, start) if not bent]
        every |= {value for value, _ in found}
        if found and start >= at:
            value, at = found[-1]
            if words[start:at] not in {("one",), ("won",), ("o",), ("oh",)}:  # "that one", "oh"
                longest.add(value)
    return every, longest
