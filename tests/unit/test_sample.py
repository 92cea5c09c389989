"""Sample logs: deterministic, in the app's shape, and making sense to whoever folds them."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gymops.errors import SourceError
from gymops.eventlog import sample
from gymops.eventlog.compare import compare
from gymops.eventlog.workspace import SqliteLog

_EVENTS = 20_000
_PAYLOADS = {
    "WorkoutStarted": ["workout_id", "name", "from_template_id", "exercise_ids", "exercise_plans"],
    "ExerciseAdded": ["workout_id", "exercise_id"],
    "SetLogged": ["workout_id", "exercise_id", "weight", "reps", "unit"],
    "SetModified": ["workout_id", "original_event_id", "weight", "reps", "unit"],
    "SetDeleted": ["workout_id", "original_event_id", "reason"],
    "WorkoutCompleted": ["workout_id", "notes"],
    "WorkoutDiscarded": ["workout_id", "reason"],
    "TemplateCreated": ["template_id", "name", "exercise_ids", "exercises", "source_workout_id"],
    "TemplateUpdated": ["template_id", "name", "exercise_ids", "exercises"],
    "TemplateDeleted": ["template_id"],
}

Event = tuple[int, str, str, str, dict[str, Any], int]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sample") / "gym.db"
    sample.write_log(file, events=_EVENTS, seed=7)
    return file


@pytest.fixture(scope="module")
def events(log: Path) -> list[Event]:
    rows = _query(log, "SELECT * FROM events ORDER BY id")
    return [(rowid, event, at, kind, json.loads(raw), v) for rowid, event, at, kind, raw, v in rows]


@pytest.fixture(scope="module")
def projections(log: Path) -> dict[str, Any]:
    return {key: json.loads(data) for key, data in _query(log, "SELECT key, data FROM projections")}


def _query(file: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


def _digest(file: Path) -> str:
    with closing(SqliteLog(file)) as log:
        return log.digest().head


def test_the_same_seed_gives_the_same_log_and_another_seed_or_user_another(tmp_path: Path) -> None:
    digests = []
    for number, (seed, user) in enumerate([(1, "a"), (1, "a"), (2, "a"), (1, "b")]):
        file = tmp_path / f"{number}.db"
        sample.write_log(file, events=500, seed=seed, user=user)
        digests.append(_digest(file))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_the_app_s_shape_is_recognised_and_nothing_in_it_is_odd(log: Path) -> None:
    with closing(SqliteLog(log)) as source:
        reading = source.read()["default"]
        assert reading.contents.shape.name == "titan"
        assert reading.contents.unknown_tables == ()
        assert (reading.scan.events, len(reading.scan.rejected), reading.scan.notes) == (_EVENTS, 0, {})
        assert source.tables() == {"aggregates", "exercises", "projections"}
        assert list(source.rejected("default")) == []


def test_tables_and_indexes_are_those_of_the_app(log: Path) -> None:
    names = [row[0] for row in _query(log, "SELECT name FROM sqlite_schema ORDER BY rowid")]
    assert names == [
        "events", "sqlite_autoindex_events_1", "sqlite_sequence", "projections",
        "sqlite_autoindex_projections_1", "aggregates", "sqlite_autoindex_aggregates_1", "exercises",
        "sqlite_autoindex_exercises_1", "idx_events_type", "idx_events_timestamp",
    ]  # fmt: skip
    assert _query(log, "SELECT name, seq FROM sqlite_sequence") == [("events", _EVENTS)]
    assert _query(log, "PRAGMA journal_mode") == [("delete",)]


def test_all_ten_event_types_occur_with_their_keys_as_often_as_in_the_app(events: list[Event]) -> None:
    counts: dict[str, int] = {}
    for _, _, _, kind, payload, version in events:
        counts[kind] = counts.get(kind, 0) + 1
        assert list(payload) == _PAYLOADS[kind]
        assert version == 1
    assert set(counts) == set(_PAYLOADS)
    assert 0.55 < counts["SetLogged"] / _EVENTS < 0.7
    assert 0.15 < counts["ExerciseAdded"] / _EVENTS < 0.25
    assert 0.05 < counts["WorkoutStarted"] / _EVENTS < 0.1
    assert 0.05 < counts["WorkoutDiscarded"] / counts["WorkoutStarted"] < 0.2


def test_ids_are_uuid4_and_time_goes_forward(events: list[Event]) -> None:
    assert [row[0] for row in events] == list(range(1, _EVENTS + 1))
    assert len({row[1] for row in events}) == _EVENTS
    for _, event_id, stamp, *_ in events:
        assert str(uuid.UUID(event_id)) == event_id
        assert uuid.UUID(event_id).version == 4
        assert len(stamp) == len("2026-11-21T03:59:36.788935Z")
        assert stamp[-1] == "Z"
    assert all(before[2] < after[2] for before, after in pairwise(events))
    assert events[-1][2] < "2027"


def test_text_is_escaped_in_json_as_the_app_does_and_plain_in_other_columns(log: Path) -> None:
    raw = [row[0] for row in _query(log, "SELECT payload FROM events WHERE payload LIKE '%\\u%'")]
    assert any("L\\u00e9o's pull \\ud83d\\udcaa" in payload for payload in raw)
    assert all(row[0].isascii() for row in _query(log, "SELECT payload FROM events"))
    assert ("Léo's kettlebell swing 💪",) in _query(log, "SELECT name FROM exercises WHERE is_custom = 1")


def test_the_projections_are_what_the_events_fold_to(
    events: list[Event], projections: dict[str, Any]
) -> None:
    workouts = list(_workouts(events))
    done = [workout for workout in workouts if workout["end"] == "WorkoutCompleted"]
    history = projections["workout_history"]
    assert [entry["id"] for entry in history] == [workout["id"] for workout in reversed(done)][:100]
    for entry, workout in zip(history, reversed(done), strict=False):
        folded = {(exercise["exercise_id"], *_values(one)) for exercise in entry["exercises"]
                  for one in exercise["sets"]}  # fmt: skip
        assert folded == {(one["exercise_id"], *_values(one)) for one in workout["sets"].values()}
        assert entry["stats"]["total_sets"] == len(workout["sets"])
    last = workouts[-1]
    current = projections["current_workout"]
    assert (current or {}).get("id") == (None if last["end"] else last["id"])

    logged = [payload for _, _, _, kind, payload, _ in events if kind == "SetLogged"]
    for exercise in {payload["exercise_id"] for payload in logged}:
        lifted = [
            payload["weight"] * (1 if payload["unit"] == "kg" else 0.453592)
            for payload in logged
            if payload["exercise_id"] == exercise
        ]
        records = projections[f"personal_records:{exercise}"]
        assert records["max_weight"]["weight_kg"] == max(lifted)
        assert records["max_weight"]["reps"] in range(1, 13)
        sessions = projections[f"exercise_history:{exercise}"]["sessions"]
        assert 0 < len(sessions) <= 50
    live = {payload["template_id"] for _, _, _, kind, payload, _ in events if kind == "TemplateCreated"}
    live -= {payload["template_id"] for _, _, _, kind, payload, _ in events if kind == "TemplateDeleted"}
    assert {template["id"] for template in projections["workout_templates"]} == live


def _values(one: dict[str, Any]) -> tuple[Any, ...]:
    return one["event_id"], one["weight"], one["reps"], one["unit"]


def _workouts(events: list[Event]) -> Iterator[dict[str, Any]]:
    """A fold of its own; fails where an event does not fit those before it."""
    current: dict[str, Any] | None = None
    templates: set[str] = set()
    for _, event_id, _, kind, payload, _ in events:
        if kind.startswith("Template"):
            assert (payload["template_id"] in templates) == (kind != "TemplateCreated")
            templates ^= {payload["template_id"]} if kind != "TemplateUpdated" else set()
        elif kind == "WorkoutStarted":
            assert current is None
            assert payload["from_template_id"] is None or payload["from_template_id"] in templates
            current = {"id": payload["workout_id"], "added": set(), "sets": {}, "end": None}
        else:
            assert current
            assert payload["workout_id"] == current["id"]
            if kind == "ExerciseAdded":
                assert payload["exercise_id"] not in current["added"]
                current["added"].add(payload["exercise_id"])
            elif kind == "SetLogged":
                assert payload["exercise_id"] in current["added"]
                assert payload["weight"] > 0
                current["sets"][event_id] = {"event_id": event_id, **payload}
            elif kind == "SetDeleted":
                del current["sets"][payload["original_event_id"]]
            elif kind == "SetModified":
                names = ("weight", "reps", "unit")
                change = {name: payload[name] for name in names if payload[name] is not None}
                current["sets"][payload["original_event_id"]] |= change
            else:
                current["end"] = kind
                yield current
                current = None
    if current:
        yield current


def test_projections_stay_small_however_long_the_log(log: Path) -> None:
    size = _query(log, "SELECT sum(length(data)) FROM projections")[0][0]
    assert size < 1_000_000


@pytest.mark.parametrize("count", [0, 1, 2, 17])
def test_a_log_may_be_as_short_as_wanted(tmp_path: Path, count: int) -> None:
    sample.write_log(tmp_path / "gym.db", events=count, seed=1)
    assert _query(tmp_path / "gym.db", "SELECT count(*) FROM events") == [(count,)]


def test_a_workspace_has_a_folder_per_user_and_as_many_events_as_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "workspace"
    sample.write_workspace(folder, users=3, events=1000, seed=1)
    assert sorted(path.name for path in folder.iterdir()) == [f"sample|00000{n}" for n in (1, 2, 3)]
    with closing(SqliteLog(folder)) as log:
        sizes = [stream.events for stream in log.digest().streams.values()]
        first = log.digest().head
    assert sum(sizes) == 1000
    assert len(set(sizes)) == 3
    sample.write_workspace(tmp_path / "again", users=3, events=1000, seed=1)
    assert _digest(tmp_path / "again") == first


def test_nothing_is_overwritten_and_nothing_half_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample.write_log(tmp_path / "gym.db", events=10, seed=1)
    with pytest.raises(SourceError, match="exists already"):
        sample.write_log(tmp_path / "gym.db", events=10, seed=1)
    with pytest.raises(SourceError, match="exists already"):
        sample.write_workspace(tmp_path, users=1, events=10, seed=1)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sample, "_write", full)
    with pytest.raises(SourceError, match="disk is full"):
        sample.write_workspace(tmp_path / "workspace", users=2, events=10, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["gym.db"]


def test_a_nudged_weight_is_the_one_difference(tmp_path: Path) -> None:
    for name in ("one.db", "other.db"):
        sample.write_log(tmp_path / name, events=300, seed=3)
    nudge = sample.nudge_weight(tmp_path / "other.db")
    with closing(SqliteLog(tmp_path / "one.db")) as a, closing(SqliteLog(tmp_path / "other.db")) as b:
        found = compare(a, b)
    first = found.differences.first
    assert found.differences.counts() == {"missing": 0, "extra": 0, "changed": 1, "moved": 0}
    assert first is not None
    assert (first.event_id, first.position, first.column) == (nudge.event_id, nudge.position, "payload")
    assert f'"weight": {nudge.before},' in str(first.a)
    assert f'"weight": {nudge.after},' in str(first.b)
    assert 0 < float(nudge.after) - float(nudge.before) < 0.00001


def test_a_log_without_sets_cannot_be_nudged(tmp_path: Path) -> None:
    sample.write_log(tmp_path / "gym.db", events=2, seed=1)
    with pytest.raises(SourceError, match="no set"):
        sample.nudge_weight(tmp_path / "gym.db")
