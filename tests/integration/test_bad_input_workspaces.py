"""Workspace directories as they are found, and sources that change under the reader."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gymops.config import EventMapping
from gymops.errors import ConfigError, GymopsError, SourceError
from gymops.eventlog import sqlite
from gymops.eventlog.workspace import SqliteLog
from tests.sources import LOOSE, App, Quiet, change, event, event_id, migrate, query, tables, write

ODD = ("auth0|000001", "🏋 Ann", "line\nbreak", "..a", "-x", "a%2Fb", 'O\'Hara "x"', "name with .db")


def refused(source: Path, says: str, hint: str) -> None:
    with pytest.raises(SourceError) as error:
        SqliteLog(source)
    assert says in error.value.message
    assert error.value.hint is not None
    assert hint in error.value.hint


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Two users with two events each."""
    folder = tmp_path / "workspace"
    for number, user in enumerate(("anna", "bob")):
        write(folder / user / "gym.db", map(event, (2 * number + 1, 2 * number + 2)))
    return folder


def users(source: Path) -> tuple[list[str], list[str]]:
    with closing(SqliteLog(source)) as log:
        return log.users, log.ignored


def test_odd_user_ids_arrive_as_they_are(tmp_path: Path, gymops_database: str) -> None:
    for number, user in enumerate(ODD, 1):
        write(tmp_path / "w" / user / "gym.db", [event(number)])
    report = migrate(tmp_path / "w", gymops_database)
    assert report.proof.equal
    found = query(gymops_database, "SELECT user_id, event_id::text FROM events")
    assert sorted(found) == sorted((user, event_id(number)) for number, user in enumerate(ODD, 1))


def test_a_folder_name_that_is_no_utf8(workspace: Path) -> None:
    Path(os.fsdecode(os.fsencode(workspace) + b"/\xff")).mkdir()
    refused(workspace, r"\xff: a folder name that is no UTF-8", "rename")


@pytest.mark.parametrize("user", ["", "\udcff", "x" * 513])
def test_a_user_id_that_cannot_be_one(workspace: Path, user: str) -> None:
    with pytest.raises(ConfigError, match="the user id is") as error:
        SqliteLog(workspace / "anna" / "gym.db", user)
    assert error.value.hint is not None
    assert "--user" in error.value.hint


def test_what_is_no_log_is_named_and_left_alone(workspace: Path) -> None:
    (workspace / "notes.txt").write_text("x")
    write(workspace / "old.db", [event(9)])
    (workspace / "carl").mkdir()
    (workspace / "anna" / "readme.md").write_text("x")
    change(workspace / "anna" / "cache.db", "CREATE TABLE cache (key)")
    shutil.copy(workspace / "bob" / "gym.db", workspace / "bob" / "gym.db.bak")
    found, ignored = users(workspace)
    assert found == ["anna", "bob"]
    assert ignored == [
        f"{workspace}/anna/cache.db (no event log)",
        f"{workspace}/bob/gym.db.bak (a database under another name than *.db)",
        f"{workspace}/carl (no database in it)",
        f"{workspace}/old.db (a database beside the users' folders)",
    ]


@pytest.mark.parametrize("name", ["gym.DB", "gym.sqlite3", "gym", "gym.s3db"])
def test_a_log_under_any_name_is_found(tmp_path: Path, name: str) -> None:
    write(tmp_path / "w" / "anna" / name, [event(1)])
    assert users(tmp_path / "w") == (["anna"], [])


def test_two_logs_for_one_user(workspace: Path) -> None:
    write(workspace / "anna" / "old.db", [event(9)])
    refused(workspace, f"{workspace}/anna: two logs for one user: gym.db and old.db", "move the one")


def test_two_databases_none_of_which_is_a_log(workspace: Path) -> None:
    (workspace / "carl").mkdir()
    for name in ("a.db", "b.db"):
        change(workspace / "carl" / name, "CREATE TABLE cache (key)")
    refused(workspace, "carl: two logs for one user", "move the one")


def test_a_damaged_database_beside_the_log_is_not_passed_over(workspace: Path) -> None:
    (workspace / "anna" / "other.db").write_bytes(b"x" * 5000)
    refused(workspace, f"{workspace}/anna/other.db: not a SQLite database", "check the path")


def test_a_directory_without_databases(tmp_path: Path) -> None:
    refused(tmp_path, f"{tmp_path}: no databases: expected {tmp_path}/<user id>/<name>.db", "name one file")
    write(tmp_path / "gym.db", [event(1)])
    refused(tmp_path, "no databases", "name one file")


def test_a_folder_that_may_not_be_read(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    refused(workspace, "Permission denied", "check its permissions")


def test_a_database_without_a_log_stops_the_workspace(workspace: Path, database: str) -> None:
    (workspace / "carl").mkdir()
    change(workspace / "carl" / "chinook.db", "CREATE TABLE Album (AlbumId)", "CREATE TABLE Artist (Name)")
    with pytest.raises(SourceError) as error:
        migrate(workspace, database)
    assert (
        "carl/chinook.db: no event log found: no table 'events' (tables: Album, Artist)"
        in error.value.message
    )
    assert error.value.hint is not None
    assert "[migrate.events]" in error.value.hint
    assert tables(database) == []


def test_a_mapping_moves_a_table_of_other_names(tmp_path: Path, gymops_database: str) -> None:
    path = tmp_path / "app.db"
    change(
        path,
        'CREATE TABLE "Activity Log" (n INTEGER PRIMARY KEY, uuid, "at" REAL, kind, body, mood)',
        'INSERT INTO "Activity Log" VALUES'
        f" (5, '{event_id(1)}', 1709251200.5, 'Ran', '{{\"km\": 5.0}}', 'good'),"
        f" (6, '{event_id(2)}', 'never', 'Ran', '{{}}', NULL)",
    )
    mapping = EventMapping("activity log", "UUID", "at", "kind", "body")
    with pytest.raises(GymopsError, match=f"user 'alice', {path}, activity log row 6: timestamp: 'never'"):
        migrate(path, gymops_database, mapping=mapping)
    report = migrate(path, gymops_database, mapping=mapping, quarantine=True)
    assert report.proof.equal
    assert report.plan.columns["payload"] == "activity log.body"
    assert query(
        gymops_database,
        'SELECT event_id::text, "timestamp"::text, event_type, payload::text, schema_version, extra'
        " FROM events",
    ) == [(event_id(1), "2024-03-01 00:00:00.5+00", "Ran", '{"km": 5.0}', 1, {"mood": "good"})]


# The source goes away or becomes another one during the run


class When(Quiet):
    """Does something when a part of the work begins."""

    def __init__(self, phase: str, do: Callable[[], object]) -> None:
        self._phase, self._do = phase, do

    def phase(self, name: str, total: int | None) -> None:
        if name == self._phase:
            self._do()


def _statuses(url: str) -> list[str]:
    return [status for (status,) in query(url, "SELECT status FROM runs ORDER BY started_at")]


@pytest.mark.parametrize("phase", ["copying", "proving"])
def test_the_source_is_deleted_during_the_run(workspace: Path, gymops_database: str, phase: str) -> None:
    gone = When(phase, lambda: shutil.rmtree(workspace / "bob"))
    with pytest.raises(SourceError, match=r"bob/gym.db: no such file or directory"):
        migrate(workspace, gymops_database, observer=gone)
    assert _statuses(gymops_database) == ["failed"]


@pytest.mark.parametrize("phase", ["copying", "proving"])
def test_the_source_is_replaced_during_the_run(tmp_path: Path, gymops_database: str, phase: str) -> None:
    """Proved is what lies there at the end, or nothing is."""
    path = write(tmp_path / "gym.db", map(event, range(1, 50)))
    other = write(tmp_path / "other.db", [event(n, event_type="Other") for n in range(1, 50)])
    report = migrate(path, gymops_database, observer=When(phase, lambda: other.replace(path)))
    assert report.proof.equal == (phase == "copying")
    assert _statuses(gymops_database) == ["done" if phase == "copying" else "failed"]
    arrived = "Other" if phase == "copying" else "SetLogged"
    assert query(gymops_database, "SELECT DISTINCT event_type FROM events") == [(arrived,)]


def test_the_source_is_another_kind_of_file_by_the_proof(tmp_path: Path, gymops_database: str) -> None:
    path = write(tmp_path / "gym.db", map(event, range(1, 5)))
    with pytest.raises(SourceError, match="not a SQLite database"):
        migrate(path, gymops_database, observer=When("proving", lambda: path.write_bytes(b"x" * 9000)))
    assert _statuses(gymops_database) == ["failed"]


def test_damage_that_comes_during_the_run_is_no_proof(tmp_path: Path, gymops_database: str) -> None:
    path = write(tmp_path / "gym.db", map(event, range(1, 2000)), LOOSE)

    def damage() -> None:
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2 // 4096 * 4096)
            file.write(b"\xa5" * 4096)

    with pytest.raises(SourceError, match=r"gym.db: damaged"):
        migrate(path, gymops_database, observer=When("proving", damage))
    assert _statuses(gymops_database) == ["failed"]


def test_events_appended_during_the_run_belong_to_the_next(tmp_path: Path, gymops_database: str) -> None:
    path = write(tmp_path / "gym.db", map(event, (1, 2)))
    late = f"c.execute('INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?)', {event(3)!r})"
    first = migrate(path, gymops_database, observer=When("copying", lambda: App(path, late).close()))
    assert (first.written, first.proof.equal) == (2, True)
    assert migrate(path, gymops_database).written == 1


def test_the_app_is_locked_out_at_no_time(tmp_path: Path, gymops_database: str) -> None:
    """It writes without waiting at the begin of every part of the work."""
    path = write(tmp_path / "gym.db", map(event, range(1, 300)))
    seen: list[str] = []

    class Writing(Quiet):
        def phase(self, name: str, total: int | None) -> None:
            App(path, "c.execute('PRAGMA busy_timeout = 0'); c.execute('CREATE TABLE IF NOT EXISTS t (a)');"
                "c.execute('INSERT INTO t VALUES (1)')").close()  # fmt: skip
            seen.append(name)

    change(path, "CREATE TABLE t (a)")
    assert migrate(path, gymops_database, observer=Writing()).proof.equal
    assert {"reading the source", "copying", "proving"} <= set(seen)


# Memory


@pytest.mark.long
def test_huge_payloads_one_after_the_other_take_no_more_memory_than_one(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gymops.eventlog.workspace import SqliteLog;"
        "from gymops.eventlog.scan import peak_rss;"
        "log = SqliteLog(Path(sys.argv[1])); log.read(); print(peak_rss())"
    )
    peaks = []
    for count in (1, 12):
        rows = [event(n, payload='{"note": "' + "x" * 20_000_000 + '"}') for n in range(count)]
        path = write(tmp_path / f"{count}.db", [*map(event, range(100, 900)), *rows])
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] < peaks[0] * 1.5
    assert peaks[0] < 300 << 20


def test_a_huge_payload_arrives(
    tmp_path: Path, gymops_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BATCH_BYTES", 1 << 20)
    rows = [event(1), event(2, payload='{"note": "' + "ü" * 5_000_000 + '"}'), event(3)]
    report = migrate(write(tmp_path / "gym.db", rows), gymops_database)
    assert (report.written, report.proof.equal) == (3, True)
