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
    """Whether most of a name of this exercise was said, and not as much of any other's."""
    said = {stem(word) for word in sentence(transcript).texts}
    heard = {one.id: max(_share(name, said) for name in (one.name, *one.aliases)) for one in exercises}
    mine = heard.pop(exercise.id)
    return mine > max(0.5, *heard.values())


def _share(name: str, said: set[str]) -> float:
    """How much of a name was said, 0 to 1."""
    stems = {stem(word) for word in sentence(name).texts}
    return len(stems & said) / len(stems) if stems else 0.0


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
