"""How exercises, weights, repetitions and times are said; what is said can be said back.

Every phrase made here is understood by the grammar, so that a choice can be sent as it stands.
"""

from __future__ import annotations

from gymops.app.library import Exercise
from gymops.app.voice.context import LoggedSet, Unit

_UNIT: dict[Unit, tuple[str, str]] = {"kg": ("kilo", "kilos"), "lb": ("pound", "pounds")}

UNITS: dict[Unit, str] = {unit: words[1] for unit, words in _UNIT.items()}
"""What a unit is called."""


def plain(number: float) -> str:
    """A number without a fraction that is none: 80, 62.5."""
    return f"{number:.3f}".rstrip("0").rstrip(".")


def weight(value: float, unit: Unit) -> str:
    """80 kilos, 1 pound."""
    return f"{plain(value)} {_UNIT[unit][value != 1]}"


def duration(seconds: float) -> str:
    """45 seconds, 1 minute 30 seconds."""
    minutes, rest = divmod(round(seconds), 60)
    parts = []
    if minutes:
        parts.append(f"{minutes} minute{'s' * (minutes != 1)}")
    if rest or not minutes:
        parts.append(f"{rest} second{'s' * (rest != 1)}")
    return " ".join(parts)


def title(exercise: Exercise) -> str:
    """An exercise at the start of a sentence: Bench press."""
    first, *rest = exercise.name.split() or [exercise.id]
    return " ".join([first, *(word if word.isupper() else word.lower() for word in rest)])


def name(exercise: Exercise) -> str:
    """An exercise inside a sentence: bench press."""
    return " ".join(word if word.isupper() else word.lower() for word in exercise.name.split())


def measure(exercise: Exercise, value: float, unit: Unit, *, reps: int | None, seconds: int | None) -> str:
    """A set without its exercise: 80 kilos for 10, bodyweight plus 5 kilos for 8, 1 minute."""
    load = weight(value, unit) if value else ""
    if exercise.bodyweight and value:
        load = f"bodyweight plus {load}"
    if seconds is not None:
        return f"{load} for {duration(seconds)}" if load else duration(seconds)
    return f"{load or 'bodyweight'} for {reps}"


def logged(exercise: Exercise, one: LoggedSet) -> str:
    """A set that is there, without its exercise."""
    return measure(exercise, one.weight, one.unit, reps=one.reps, seconds=one.seconds)


def first_capital(text: str) -> str:
    """A sentence begins with a capital; what follows stays as it is."""
    return text[:1].upper() + text[1:]
