"""What a sentence is understood against: the workout in progress, the exercises, the templates."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gymops.app.library import Exercise

Unit = Literal["kg", "lb"]


def _uuid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class LoggedSet:
    """A set of the workout in progress: repetitions or seconds, the weight and unit as entered."""

    event_id: str
    exercise_id: str
    weight: float
    unit: Unit
    reps: int | None
    seconds: int | None


@dataclass(frozen=True)
class Context:
    """All that understanding may depend on; the same sentence in the same context means the same.

    ``workout``, ``templates`` and ``records`` are rows of the projections ``current_workout``,
    ``workout_templates`` and ``personal_records:<exercise id>``. ``records`` may be left out: then a
    question about one is answered by where to look.
    """

    workout: Mapping[str, Any] | None
    exercises: Sequence[Exercise]
    templates: Sequence[Mapping[str, Any]] = ()
    default_unit: Unit = "kg"
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    new_id: Callable[[], str] = _uuid

    def exercise(self, exercise_id: str) -> Exercise:
        """The exercise of this id; one that is in the workout but not in the library goes by its id."""
        known = (one for one in self.exercises if one.id == exercise_id)
        return next(known, Exercise(exercise_id, exercise_id.replace("-", " ").capitalize(), "other"))

    @property
    def workout_id(self) -> str | None:
        """The workout in progress."""
        return str(self.workout["id"]) if self.workout else None

    @property
    def focus(self) -> Exercise | None:
        """The exercise a set without a name belongs to: the one last added or last logged."""
        focus = self.workout["focus_exercise"] if self.workout else None
        return self.exercise(focus) if focus else None

    @property
    def exercise_ids(self) -> tuple[str, ...]:
        """The exercises of the workout in progress, in its order."""
        rows = self.workout["exercises"] if self.workout else ()
        return tuple(row["exercise_id"] for row in rows)

    def sets(self) -> Iterator[LoggedSet]:
        """The sets of the workout in progress, exercise by exercise."""
        for row in self.workout["exercises"] if self.workout else ():
            for one in row["sets"]:
                yield LoggedSet(
                    one["event_id"],
                    row["exercise_id"],
                    float(one["weight"]),
                    "lb" if one["unit"].startswith("lb") else "kg",
                    one.get("reps"),
                    one.get("duration_seconds"),
                )

    def last_set(self, exercise: Exercise | None) -> LoggedSet | None:
        """The set of this exercise logged last in the workout in progress."""
        last = None
        for one in self.sets():
            if exercise and one.exercise_id == exercise.id:
                last = one
        return last
