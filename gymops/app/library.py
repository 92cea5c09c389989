"""The built-in exercises: what they are called, also in speech, and how a set of each is counted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("exercises.json")


@dataclass(frozen=True)
class Exercise:
    """One exercise. A set of a ``timed`` one is counted in seconds, of any other in repetitions.

    ``bodyweight``: without a weight being named, a set is done with none (0). ``barbell``: loaded with
    plates on a bar, which is what gives "two plates" a weight.
    """

    id: str
    name: str
    category: str
    aliases: tuple[str, ...] = ()
    timed: bool = False
    bodyweight: bool = False
    barbell: bool = False


@cache
def library() -> tuple[Exercise, ...]:
    """The built-in exercises, by category as in the file."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(Exercise(**{**row, "aliases": tuple(row["aliases"])}) for row in rows)
