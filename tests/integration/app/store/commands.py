"""Sequences of commands as no person would give them, and a user who gives them to several stores at once."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from gymops.app.domain import Conflict
from gymops.app.store import IdReused, NewEvent, Store
from tests.contract.stores import StillClock, new

Command = tuple[str, dict[str, Any]]

_numbers = st.integers(0, 30)
_exercises = st.sampled_from(["row", "dip", "plank"])
# No two of them round to the same record.
_weights = st.sampled_from([0.0, 20.0, 60.0, 62.5, 80.25, 135.0])
_sets = st.one_of(
    st.fixed_dictionaries(
        {"weight": _weights, "reps": st.sampled_from([1, 5, 10]), "unit": st.sampled_from(["kg", "lb"])}
    ),
    st.fixed_dictionaries({"weight": _weights, "duration_seconds": st.sampled_from([30, 60])}),
)
_changes = st.fixed_dictionaries(
    {},
    optional={
        "weight": _weights,
        "reps": st.sampled_from([1, 5, 10]),
        "unit": st.sampled_from(["kg", "lb"]),
        "duration_seconds": st.sampled_from([30, 60]),
    },
).filter(bool)
_lists = st.lists(_exercises, max_size=3)
_plans = st.lists(st.builds(lambda one: {"exercise_id": one, "target_reps": 5}, _exercises), max_size=2)
_maybe = st.none() | _numbers


def _command(name: str, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Command]:
    return st.tuples(st.just(name), st.fixed_dictionaries(fields))


_LOG = _command("log", exercise=_exercises, one=_sets)
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    _LOG,
    _LOG,
    _LOG,
    _command("start", template=_maybe, exercise_ids=st.none() | _lists, exercise_plans=st.none() | _plans),
    _command("start", template=st.none(), exercise_ids=st.none(), exercise_plans=st.none()),
    _command("finish", notes=st.sampled_from([None, "'\\\"%s é"])),
    _command("finish", notes=st.none()),
    _command("discard"),
    _command("add", exercise=_exercises),
    _command("modify", which=_numbers, changes=_changes),
    _command("modify", which=_numbers, changes=_changes),
    _command("delete", which=_numbers),
    _command("delete", which=_numbers),
    _command("template", exercise_ids=_lists, exercises=st.none() | _plans),
    _command(
        "template update", which=_numbers, name=st.sampled_from([None, "B"]), exercise_ids=st.none() | _lists
    ),
    _command("template delete", which=_numbers),
    _command("repeat", which=_numbers),
    _command("reuse", which=_numbers),
)
"""One of a user's wishes; numbers choose among what there is, so that most of them can be met."""

BATCHES = st.lists(st.lists(COMMANDS, min_size=1, max_size=4), min_size=5, max_size=25)
"""Commands, some of them several in one append."""


def long_life(chance: random.Random, length: int) -> list[list[Command]]:
    """A long sequence that mostly follows: many finished workouts of like sets, changed afterwards."""

    def command() -> Command:
        which = min(int(chance.expovariate(0.15)), 60)
        weight, reps = chance.choice([0.0, 60.0, 62.5, 135.0]), chance.choice([5, 10])
        unit, seconds = chance.choice(["kg", "kg", "lb"]), chance.choice([30, 60])
        one = {"weight": weight, "reps": reps, "unit": unit}
        if chance.random() < 0.2:
            one = {"weight": weight, "duration_seconds": seconds}
        log = ("log", {"exercise": chance.choice(["row", "plank"]), "one": one})
        changes: dict[str, Any] = chance.choice(
            [{"weight": weight}, {"reps": reps}, {"unit": unit}, {"duration_seconds": seconds}]
        )
        match chance.randrange(20):
            case 0 | 1 | 2:
                return ("start", {"template": None, "exercise_ids": None, "exercise_plans": None})
            case 3 | 4:
                return ("finish", {"notes": None})
            case 5:
                return ("discard", {}) if chance.random() < 0.4 else log
            case 6 | 7 | 8:
                return ("modify", {"which": which, "changes": changes})
            case 9 | 10:
                return ("delete", {"which": which})
            case _:
                return log

    return [[command()] for _ in range(length)]


class User:
    """Gives the same commands to several stores and sees that they answer alike."""

    def __init__(self, stores: Sequence[Store], clock: StillClock) -> None:
        self.id = f"user {uuid.uuid4()}"
        self._stores = stores
        self._clock = clock
        self._given: list[NewEvent] = []
        self._sets: list[tuple[str, str]] = []
        self._templates: list[str] = []
        self._workout = str(uuid.uuid4())

    def give(self, commands: Sequence[Command]) -> list[str]:
        """Give some commands in one append; what became of them."""
        self._clock.minutes += 977  # an hour and some: weeks and months go by
        before = (self._workout, list(self._sets), list(self._templates))
        events = [self._event(name, fields) for name, fields in commands]
        answers = [self._append(store, events) for store in self._stores]
        assert all(answer == answers[0] for answer in answers), (commands, answers)
        outcome: list[str] = answers[0][0]
        if outcome[0].startswith("appended"):
            self._given += events
        else:
            self._workout, self._sets, self._templates = before
        return outcome

    def _append(self, store: Store, events: list[NewEvent]) -> tuple[Any, ...]:
        try:
            done = store.append(self.id, events)
        except Conflict as conflict:
            return [f"conflict {conflict.code}"], conflict.detail
        except IdReused as reused:
            return ["reused"], str(reused)
        return ["appended" + " again" * one.repeated for one in done], done

    def _event(self, name: str, fields: dict[str, Any]) -> NewEvent:
        match name:
            case "start":
                self._workout = str(uuid.uuid4()) if len(self._given) % 7 else self._workout
                template = self._choose(self._templates, fields["template"])
                plan = {key: fields[key] for key in ("exercise_ids", "exercise_plans")}
                return new("WorkoutStarted", workout_id=self._workout, from_template_id=template, **plan)
            case "finish":
                return new("WorkoutCompleted", workout_id=self._workout, notes=fields["notes"])
            case "discard":
                return new("WorkoutDiscarded", workout_id=self._workout)
            case "add":
                return new("ExerciseAdded", workout_id=self._workout, exercise_id=fields["exercise"])
            case "log":
                one = new(
                    "SetLogged", workout_id=self._workout, exercise_id=fields["exercise"], **fields["one"]
                )
                self._sets.append((self._workout, one.event_id))
                return one
            case "modify" | "delete":
                nothing = (self._workout, str(uuid.UUID(int=0)))
                workout, event = self._choose(self._sets, fields["which"]) or nothing
                of = {"workout_id": workout, "original_event_id": event}
                return (
                    new("SetDeleted", **of)
                    if name == "delete"
                    else new("SetModified", **of, **fields["changes"])
                )
            case "template":
                self._templates.append(str(uuid.uuid4()))
                return new("TemplateCreated", template_id=self._templates[-1], name="A", **fields)
            case "template update" | "template delete":
                chosen = self._choose(self._templates, fields.pop("which")) or str(uuid.UUID(int=0))
                kind = "TemplateDeleted" if name == "template delete" else "TemplateUpdated"
                return new(kind, template_id=chosen, **fields)
            case "repeat":
                return self._choose(self._given, fields["which"]) or new(
                    "WorkoutStarted", workout_id=self._workout
                )
            case _:
                earlier = self._choose(self._given, fields["which"])
                return new(
                    "TemplateDeleted", event_id=earlier and earlier.event_id, template_id=self._workout
                )

    @staticmethod
    def _choose(among: Sequence[Any], which: int | None) -> Any:
        """The last ones are chosen most."""
        return among[-1 - which % len(among)] if among and which is not None else None
