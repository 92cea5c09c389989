"""What our fold makes of the real app's events, beside the projections the real app kept itself.

The history, the sessions of each exercise and the templates agree to the last digit. Records differ, for
four reasons, and each single difference is given its reason here: the app never took a record back.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gymops.app.queries import history, projection
from gymops.app.store.sqlite import SqliteStore
from gymops.clock import SystemClock

DATA = Path(__file__).parents[4] / "shared" / "data" / "titan-workspace"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real app's files are not beside this checkout")

USERS = sorted(path.name for path in DATA.glob("*")) if DATA.is_dir() else []
# What ours keeps beside what the app kept.
MORE = {"position", "logged_at", "duration_seconds", "name", "number", "longest"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SqliteStore:
    workspace = tmp_path_factory.mktemp("real") / "workspace"
    shutil.copytree(DATA, workspace)
    store = SqliteStore(workspace, clock=SystemClock())
    for user in USERS:
        store.build(user)
    assert store.readiness().lag == 0
    return store


def stored(user: str) -> dict[str, Any]:
    """The projections as the real app left them."""
    uri = f"{(DATA / user / 'gym.db').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return {
            key: json.loads(data) for key, data in connection.execute("SELECT key, data FROM projections")
        }


def ours(store: SqliteStore, user: str, key: str) -> Any:
    found = projection(store, user, key)
    assert found is not None, key
    return found.data


def less(value: Any, drop: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: less(one, drop) for name, one in value.items() if name not in drop}
    return [less(one, drop) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("user", USERS)
def test_history_sessions_and_templates_agree(store: SqliteStore, user: str) -> None:
    theirs = stored(user)
    all_of_it = history(store, user, 100, None)
    assert all_of_it.next is None
    assert less(all_of_it.items, MORE) == theirs["workout_history"]
    for key, data in theirs.items():
        if key.startswith("exercise_history:"):
            assert less(ours(store, user, key), MORE) == data
    assert ours(store, user, "workout_templates") == theirs["workout_templates"]
    assert ours(store, user, "current_workout") is theirs["current_workout"] is None


DOCUMENT = Path(__file__).parents[3] / "docs" / "titan-trakr.md"
DISCARDED = "discarded"
DELETED = "deleted"
MODIFIED = "changed"
ROUNDED = "rounded"


def test_every_difference_of_the_records_has_its_reason(store: SqliteStore) -> None:
    found = list(differences(store))
    assert Counter(reason for *_, reason in found) == {DISCARDED: 51, DELETED: 18, MODIFIED: 20, ROUNDED: 1}


def test_every_difference_is_listed_in_the_documentation(store: SqliteStore) -> None:
    rows = [
        f"| {user} | {exercise} | {name} | {_shown(old)} | {_shown(new)} | {reason} |"
        for user, exercise, name, old, new, reason in differences(store)
    ]
    listed = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line in set(rows)]
    assert listed == rows


def differences(store: SqliteStore) -> Iterator[tuple[str, str, str, Any, Any, str]]:
    """User, exercise, record, the app's entry, ours, and why ours is right."""
    for user in USERS:
        fates = _fates(user)
        for key, theirs in sorted(stored(user).items()):
            if not key.startswith("personal_records:"):
                continue
            mine = less(ours(store, user, key), MORE)
            for name, old, new in _entries(theirs, mine):
                if old != less(new, {"event_id"}):
                    yield user, theirs["exercise_id"], name, old, new, _reason(name, old, new, fates)


def _shown(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "none"
    reps = f" x {entry['reps']}" if "reps" in entry else ""
    return f"{entry['weight']} {entry['unit']}{reps}, {entry['date'][17:]}"


def _entries(theirs: dict[str, Any], mine: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    assert set(theirs) == set(mine)
    for name in ("max_weight", "max_volume", "estimated_1rm"):
        yield name, theirs[name], mine[name]
    for reps in sorted({*theirs["by_rep_count"], *mine["by_rep_count"]}, key=int):
        yield reps, theirs["by_rep_count"].get(reps), mine["by_rep_count"].get(reps)


def _fates(user: str) -> dict[str, str]:
    """When a set was logged -> what became of it, if anything did; also by its event id."""
    uri = f"{(DATA / user / 'gym.db').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        rows = connection.execute(
            "SELECT event_id, timestamp, event_type, payload FROM events ORDER BY id"
        ).fetchall()
    logged: dict[str, tuple[str, str]] = {}
    fates: dict[str, str] = {}
    for event_id, at, event_type, text in rows:
        payload = json.loads(text)
        if event_type == "SetLogged":
            logged[event_id] = at, payload["workout_id"]
        elif event_type in ("SetModified", "SetDeleted"):
            fate = MODIFIED if event_type == "SetModified" else DELETED
            fates[logged[payload["original_event_id"]][0]] = fate
        elif event_type == "WorkoutDiscarded":
            fates |= {
                when: DISCARDED for when, workout in logged.values() if workout == payload["workout_id"]
            }
    return fates


def _reason(name: str, old: Any, new: Any, fates: dict[str, str]) -> str:
    """Why a record is another one: what became of the set the app named, or of the one we name."""
    for entry in (old, new):
        if entry and entry["date"] in fates:
            return fates[entry["date"]]
    assert name == "estimated_1rm", (name, old, new)
    assert (old["e1rm_kg"], old["weight_kg"], old["reps"]) == (new["e1rm_kg"], new["weight_kg"], new["reps"])
    assert old["date"] > new["date"]
    return ROUNDED
