"""What an event may hold, and how what is in a log already is read."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gymops.app import events
from gymops.app.events import FromTheFuture, InvalidEvent, new_payload, read, version
from tests.contract.strategies import FEW

W = "a0a0a0a0-0000-4000-8000-000000000001"
E = "e0e0e0e0-0000-4000-8000-000000000002"
T = "b0b0b0b0-0000-4000-8000-000000000003"

SET = {"workout_id": W, "exercise_id": "bench-press", "weight": 80, "reps": 10, "unit": "kg"}
TIMED = {"workout_id": W, "exercise_id": "plank", "duration_seconds": 60}
MODIFIED = {"workout_id": W, "original_event_id": E, "weight": 82.5}
TEMPLATE = {"template_id": T, "name": "Push", "exercise_ids": ["bench-press"]}
PLAN = {"exercise_id": "bench-press", "target_sets": 3, "target_reps": 8, "target_weight": 80}

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("WorkoutStarted", {"workout_id": W}),
    ("WorkoutStarted", {"workout_id": W, "name": "Push day", "from_template_id": T}),
    ("WorkoutStarted", {"workout_id": W, "exercise_ids": [], "exercise_plans": [PLAN]}),
    ("WorkoutStarted", {"workout_id": W, "exercise_ids": ["a"] * 50}),
    ("WorkoutCompleted", {"workout_id": W}),
    ("WorkoutCompleted", {"workout_id": W, "notes": ""}),
    ("WorkoutCompleted", {"workout_id": W, "notes": "é\U0001f4aa" * 1000}),
    ("WorkoutDiscarded", {"workout_id": W, "reason": "tired"}),
    ("ExerciseAdded", {"workout_id": W, "exercise_id": "0"}),
    ("ExerciseAdded", {"workout_id": W, "exercise_id": "a" * 64}),
    ("SetLogged", SET),
    ("SetLogged", {**SET, "weight": 0}),
    ("SetLogged", {**SET, "weight": 1500.0, "reps": 1000, "unit": "lb"}),
    ("SetLogged", {"workout_id": W, "exercise_id": "pull-up", "reps": 1}),
    ("SetLogged", TIMED),
    ("SetLogged", {**TIMED, "weight": 10.25, "duration_seconds": 86_400}),
    ("SetModified", MODIFIED),
    ("SetModified", {**MODIFIED, "reps": 1, "unit": "lb", "duration_seconds": None}),
    ("SetModified", {"workout_id": W, "original_event_id": E, "duration_seconds": 1}),
    ("SetDeleted", {"workout_id": W, "original_event_id": E}),
    ("SetDeleted", {"workout_id": W, "original_event_id": E, "reason": "a slip"}),
    ("TemplateCreated", TEMPLATE),
    ("TemplateCreated", {**TEMPLATE, "exercises": [PLAN], "source_workout_id": W}),
    ("TemplateCreated", {**TEMPLATE, "exercise_ids": []}),
    ("TemplateCreated", {**TEMPLATE, "exercises": [{**PLAN, "rest_seconds": 0, "set_type": "drop_set"}]}),
    ("TemplateUpdated", {"template_id": T}),
    ("TemplateUpdated", {"template_id": T, "name": "Pull", "exercise_ids": ["row"], "exercises": [PLAN]}),
    ("TemplateDeleted", {"template_id": T}),
]


@pytest.mark.parametrize(("kind", "payload"), GOOD)
def test_a_good_payload_is_stored_with_all_its_fields(kind: str, payload: dict[str, Any]) -> None:
    stored = new_payload(kind, payload)
    assert set(stored) == set(events.TYPES[kind].model_fields)
    assert {name: stored[name] for name in payload if name not in ("exercises", "exercise_plans")} == {
        name: value for name, value in payload.items() if name not in ("exercises", "exercise_plans")
    }


@pytest.mark.parametrize(("kind", "payload"), GOOD)
def test_what_is_stored_is_read_back_as_it_was(kind: str, payload: dict[str, Any]) -> None:
    stored = new_payload(kind, payload)
    assert read(kind, version(kind), json.loads(json.dumps(stored))) == stored
    assert new_payload(kind, stored) == stored


def test_every_type_has_good_examples() -> None:
    assert {kind for kind, _ in GOOD} == set(events.TYPES)
    assert len(events.TYPES) == 10


WEIGHTS: tuple[Any, ...] = (
    math.nan,
    math.inf,
    -math.inf,
    -0.5,
    -1e-9,
    1500.01,
    1e308,
    10**400,
    True,
    "80",
    "",
    [80],
    {},
)
COUNTS: tuple[Any, ...] = (0, -1, 1001, 10**30, 2.5, math.nan, math.inf, True, False, "10", [10])
SECONDS: tuple[Any, ...] = (0, -60, 86_401, 10**30, 60.5, math.nan, math.inf, True, "60", {})
IDS: tuple[Any, ...] = (
    None,
    "",
    "1",
    W[:-1],
    f"{W}0",
    f"{W}\0",
    f"{W}\ud800",
    1,
    True,
    b"",
    [W],
    {"id": W},
    "g" * 36,
    "a" * 999,
)
SLUGS: tuple[Any, ...] = (
    None,
    "",
    "-a",
    "Bench",
    "bench press",
    "bench\n",
    "a\0",
    "a\ud800",
    "ä",
    "a" * 65,
    1,
    True,
    ["a"],
)
TEXTS: tuple[Any, ...] = ("a\0b", "\ud800", "\udfffx", 1, True, ["a"], {}, "a" * 2001)
NAMES: tuple[Any, ...] = ("", "a\0b", "\ud800", 1, True, ["a"], "a" * 201)
UNITS: tuple[Any, ...] = ("", "KG", "stone", "kg ", 1, True, ["kg"])
LISTS: tuple[Any, ...] = ("bench-press", {"a": 1}, 1, True, ["Bench"], [None], [1], ["a", ""], ["a"] * 51)
PLANS: tuple[Any, ...] = (
    "a",
    {},
    1,
    [1],
    [None],
    ["bench-press"],
    [{}],
    [{**PLAN, "target_sets": 0}],
    [{**PLAN, "target_sets": True}],
    [{**PLAN, "target_sets": 101}],
    [{**PLAN, "target_reps": -8}],
    [{**PLAN, "target_weight": math.nan}],
    [{**PLAN, "target_weight": "80"}],
    [{**PLAN, "target_unit": "stone"}],
    [{**PLAN, "set_type": "Drop"}],
    [{**PLAN, "set_type": ""}],
    [{**PLAN, "rest_seconds": -1}],
    [{**PLAN, "rest_seconds": 3601}],
    [{**PLAN, "notes": "\0"}],
    [{**PLAN, "tempo": "3-1-1"}],
    [PLAN] * 51,
)

BAD_FIELDS: list[tuple[str, dict[str, Any], str, tuple[Any, ...]]] = [
    *(
        (kind, payload, "workout_id", IDS)
        for kind, payload in (
            ("WorkoutStarted", {"workout_id": W}),
            ("WorkoutCompleted", {"workout_id": W}),
            ("WorkoutDiscarded", {"workout_id": W}),
            ("ExerciseAdded", {"workout_id": W, "exercise_id": "a"}),
            ("SetLogged", SET),
            ("SetModified", MODIFIED),
            ("SetDeleted", {"workout_id": W, "original_event_id": E}),
        )
    ),
    ("WorkoutStarted", {"workout_id": W}, "name", NAMES),
    ("WorkoutStarted", {"workout_id": W}, "from_template_id", IDS[1:]),
    ("WorkoutStarted", {"workout_id": W}, "exercise_ids", LISTS),
    ("WorkoutStarted", {"workout_id": W}, "exercise_plans", PLANS),
    ("WorkoutCompleted", {"workout_id": W}, "notes", TEXTS),
    ("WorkoutDiscarded", {"workout_id": W}, "reason", TEXTS),
    ("ExerciseAdded", {"workout_id": W, "exercise_id": "a"}, "exercise_id", SLUGS),
    ("SetLogged", SET, "exercise_id", SLUGS),
    ("SetLogged", SET, "weight", (None, *WEIGHTS)),
    ("SetLogged", SET, "reps", (None, *COUNTS)),
    ("SetLogged", SET, "unit", (None, *UNITS)),
    ("SetLogged", TIMED, "duration_seconds", (None, *SECONDS)),
    ("SetLogged", SET, "duration_seconds", (60,)),
    ("SetLogged", TIMED, "reps", (10,)),
    ("SetModified", MODIFIED, "original_event_id", IDS),
    ("SetModified", MODIFIED, "weight", (None, *WEIGHTS)),
    ("SetModified", MODIFIED, "reps", COUNTS),
    ("SetModified", MODIFIED, "unit", UNITS),
    ("SetModified", MODIFIED, "duration_seconds", SECONDS),
    ("SetDeleted", {"workout_id": W, "original_event_id": E}, "original_event_id", IDS),
    ("SetDeleted", {"workout_id": W, "original_event_id": E}, "reason", TEXTS),
    ("TemplateCreated", TEMPLATE, "template_id", IDS),
    ("TemplateCreated", TEMPLATE, "name", (None, *NAMES)),
    ("TemplateCreated", TEMPLATE, "exercise_ids", (None, *LISTS)),
    ("TemplateCreated", TEMPLATE, "exercises", PLANS),
    ("TemplateCreated", TEMPLATE, "source_workout_id", IDS[1:]),
    ("TemplateUpdated", {"template_id": T}, "template_id", IDS),
    ("TemplateUpdated", {"template_id": T}, "name", NAMES),
    ("TemplateUpdated", {"template_id": T}, "exercise_ids", LISTS),
    ("TemplateUpdated", {"template_id": T}, "exercises", PLANS),
    ("TemplateDeleted", {"template_id": T}, "template_id", IDS),
]


def test_every_field_of_every_type_has_bad_examples() -> None:
    assert {(kind, field) for kind, _, field, _ in BAD_FIELDS} == {
        (kind, field) for kind, model in events.TYPES.items() for field in model.model_fields
    }


@pytest.mark.parametrize(("kind", "payload", "field", "values"), BAD_FIELDS)
def test_a_bad_value_is_refused_and_named(
    kind: str, payload: dict[str, Any], field: str, values: tuple[Any, ...]
) -> None:
    for value in values:
        with pytest.raises(InvalidEvent) as refused:
            new_payload(kind, {**payload, field: value})
        assert all(error["loc"].startswith("payload") and error["msg"] for error in refused.value.errors)
        json.dumps(refused.value.errors).encode()  # nothing of what was sent, that no answer could hold


@pytest.mark.parametrize(("kind", "payload"), GOOD)
def test_an_unknown_field_is_refused_and_not_lost(kind: str, payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidEvent, match=r"payload\.rpe"):
        new_payload(kind, {**payload, "rpe": 8})


@pytest.mark.parametrize("kind", list(events.TYPES))
@pytest.mark.parametrize("payload", [None, [], "text", 1, True, {}, {"weight": 1}, [("workout_id", W)]])
def test_a_payload_that_is_none(kind: str, payload: Any) -> None:
    with pytest.raises(InvalidEvent):
        new_payload(kind, payload)


@pytest.mark.parametrize("kind", ["", "setlogged", "set_logged", "SetLogged ", "Payload", "Plan", "\0"])
def test_an_unknown_type_is_refused_with_those_there_are(kind: str) -> None:
    with pytest.raises(InvalidEvent, match=r"event_type: must be one of WorkoutStarted, .*TemplateDeleted"):
        new_payload(kind, {"workout_id": W})


@pytest.mark.parametrize("spelled", [W.upper(), f"{{{W}}}", f"urn:uuid:{W}", W.replace("-", "")])
def test_an_id_is_stored_in_one_spelling(spelled: str) -> None:
    assert new_payload("WorkoutCompleted", {"workout_id": spelled})["workout_id"] == W


def test_a_weight_is_stored_as_a_float_and_the_unit_as_entered() -> None:
    stored = new_payload("SetLogged", {**SET, "weight": 135, "unit": "lb"})
    assert (stored["weight"], type(stored["weight"]), stored["unit"]) == (135.0, float, "lb")


# What is in a log already


def test_version_1_knew_no_timed_sets() -> None:
    old = {"workout_id": W, "exercise_id": "bench-press", "weight": 80, "reps": 10, "unit": "kg"}
    assert read("SetLogged", 1, old) == {**old, "duration_seconds": None}
    assert read("SetLogged", 1, {**old, "duration_seconds": 7}) == {**old, "duration_seconds": None}
    assert read("SetModified", 1, MODIFIED) == {
        **MODIFIED, "reps": None, "unit": None, "duration_seconds": None
    }  # fmt: skip


@pytest.mark.parametrize("older", [0, -1])
def test_a_version_before_the_first_is_read_as_the_first(older: int) -> None:
    assert read("SetLogged", older, SET) == {**SET, "duration_seconds": None}


def test_what_version_1_left_out_has_its_default() -> None:
    stored = {"workout_id": W, "exercise_id": "pull-up", "reps": 8}
    assert read("SetLogged", 1, stored) == {**stored, "weight": 0.0, "unit": "kg", "duration_seconds": None}


@pytest.mark.parametrize("kind", list(events.TYPES))
def test_a_newer_version_is_never_guessed(kind: str) -> None:
    payload = dict(next(payload for name, payload in GOOD if name == kind))
    assert read(kind, version(kind), new_payload(kind, payload)) is not None
    with pytest.raises(FromTheFuture, match=f"{kind} of version {version(kind) + 1}"):
        read(kind, version(kind) + 1, new_payload(kind, payload))


def test_fields_we_do_not_know_are_kept() -> None:
    assert read("WorkoutDiscarded", 1, {"workout_id": "w1", "mood": 3}) == {"workout_id": "w1", "mood": 3}


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("SetLogged", {}),
        ("SetLogged", {**SET, "workout_id": None}),
        ("SetLogged", {**SET, "workout_id": 1}),
        ("SetLogged", {**SET, "exercise_id": ["bench-press"]}),
        ("SetLogged", {**SET, "weight": "80"}),
        ("SetLogged", {**SET, "weight": None}),
        ("SetLogged", {**SET, "weight": True}),
        ("SetLogged", {**SET, "weight": math.nan}),
        ("SetLogged", {**SET, "weight": math.inf}),
        ("SetLogged", {**SET, "weight": -math.inf}),
        ("SetLogged", {**SET, "weight": 10**400}),
        ("SetLogged", {**SET, "reps": 2.5}),
        ("SetLogged", {**SET, "reps": True}),
        ("SetLogged", {**SET, "reps": 2**63}),
        ("SetLogged", {**SET, "unit": None}),
        ("SetLogged", {**SET, "unit": "\ud800"}),
        ("SetLogged", {**SET, "exercise_id": "a\0"}),
        ("SetLogged", {**SET, "reps": None}),
        ("SetLogged", {**TIMED, "duration_seconds": 2**63}),
        ("SetModified", {**MODIFIED, "original_event_id": 7}),
        ("SetModified", {**MODIFIED, "weight": math.nan}),
        ("SetModified", {**MODIFIED, "reps": 10**30}),
        ("SetDeleted", {"workout_id": W}),
        ("SetDeleted", {"original_event_id": E}),
        ("WorkoutStarted", {"id": W}),
        ("WorkoutStarted", {"workout_id": W, "exercise_ids": 5}),
        ("WorkoutStarted", {"workout_id": W, "exercise_ids": [["a"]]}),
        ("WorkoutStarted", {"workout_id": W, "exercise_plans": [{"target_sets": 3}]}),
        ("WorkoutStarted", {"workout_id": W, "exercise_plans": ["a"]}),
        ("TemplateCreated", {"template_id": T, "name": "Push"}),
        ("TemplateCreated", {**TEMPLATE, "exercise_ids": "bench-press"}),
        ("TemplateCreated", {**TEMPLATE, "exercise_ids": [1]}),
        ("TemplateUpdated", {"template_id": T, "exercise_ids": [{}]}),
        ("TemplateUpdated", {"template_id": T, "exercises": [{"name": "x"}]}),
        ("TemplateUpdated", {"template_id": None}),
        ("TemplateDeleted", []),
        ("WorkoutCompleted", None),
        ("WorkoutCompleted", "text"),
        ("set_logged", SET),
        ("MoodLogged", {"workout_id": W}),
    ],
)
def test_what_cannot_be_read_as_its_type_is_none(kind: str, payload: Any) -> None:
    assert (
        read(kind, 1 if kind != "SetLogged" or "duration_seconds" not in str(payload) else 2, payload) is None
    )


_odd = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just("bench-press")
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@FEW
@given(st.data())
def test_any_new_payload_is_accepted_or_refused_in_words(data: st.DataObject) -> None:
    kind, good = data.draw(st.sampled_from(GOOD))
    field = data.draw(st.sampled_from(sorted(events.TYPES[kind].model_fields)))
    payload = {**good, field: data.draw(_odd)}
    try:
        stored = new_payload(kind, payload)
    except InvalidEvent:
        pass
    else:
        assert read(kind, version(kind), stored) == stored
        json.dumps(stored, allow_nan=False, ensure_ascii=False).encode()
