"""``gymops migrate`` as a user meets it: asked or not, interrupted, and what it prints."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gymops.pg import schema
from tests.soak.commands import environment, finish, gymops, start, terminal, wait_for
from tests.soak.crashes import Crash, Migration, assert_whole, large, migrate, workspace

_QUARANTINE = ("--on-bad-event", "quarantine")


def _tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT relname FROM pg_stat_user_tables ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def _runs(url: str) -> list[tuple[str, bool]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT status, finished_at IS NOT NULL FROM runs ORDER BY started_at"
        ).fetchall()


def _documented(url: str, path: Path, marker: str) -> dict[str, set[str]]:
    """The keys that --help promises, and those of each object among them."""
    done = subprocess.run(
        [sys.executable, "-m", "gymops", "migrate", "--help"],
        env=environment(url), cwd=path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    text = " ".join(done.stdout.split()).partition(marker)[2]
    keys: dict[str, set[str]] = {}
    inner = r"\{(?:name: \{)?([^{}]*)\}\}?"
    for name, listed in re.findall(rf"(\w+)(?:{inner}|\[\])?(?:, |[.;])", text):
        keys[name] = {word for word in listed.split(", ") if word}
        if re.search(rf"\b{name}(?:{inner}|\[\])?[.;]", text):
            return keys
    return keys


def _agree(document: dict[str, Any], keys: dict[str, set[str]]) -> None:
    assert set(document) == set(keys)
    for name, inner in keys.items():
        if name == "tables":
            assert document[name]
            assert all(set(table) == inner for table in document[name].values() if inner)
        elif inner:
            assert set(document[name]) == inner, name


def test_the_document_has_the_keys_of_the_help(database: str, tmp_path: Path) -> None:
    source = tmp_path / "workspace"
    workspace(source, users=2)

    planned = gymops(source, database, "--plan", "--json")
    done = gymops(source, database, "--json", *_QUARANTINE)
    again = gymops(source, database, "--json", *_QUARANTINE)
    nothing = gymops(source, database, "--plan", "--json")

    assert [planned[0], done[0], again[0], nothing[0]] == [3, 0, 0, 0]
    plan_keys = _documented(database, tmp_path, "With --plan: ")
    report_keys = _documented(database, tmp_path, "with the keys ")
    assert {"source", "target", "events", "users"} < set(plan_keys) & set(report_keys)
    _agree(json.loads(planned[1]), plan_keys)
    _agree(json.loads(nothing[1]), plan_keys)
    _agree(json.loads(done[1]), report_keys)
    _agree(json.loads(again[1]), report_keys)
    first, second = json.loads(done[1]), json.loads(again[1])
    assert first["verified"] is second["verified"] is True
    assert first["digest"] == second["digest"]
    assert second["events"] == {**first["events"], "written": 0, "already_there": first["events"]["source"]}


def test_bad_rows_stop_it_before_anything_is_written(database: str, tmp_path: Path) -> None:
    source = tmp_path / "workspace"
    workspace(source, users=1)

    code, out, _ = gymops(source, database, "--json")

    assert (code, json.loads(out)["error"]["code"]) == (1, "bad_events")
    assert _tables(database) == []


def test_nobody_to_ask(database: str, tmp_path: Path) -> None:
    source = tmp_path / "gym.db"
    large(source, 50)

    code, out, err = gymops(source, database)

    assert (code, out) == (2, "")
    assert "hint:  add --yes" in err
    assert _tables(database) == []
    assert gymops(source, database, "--yes")[0] == 0
    assert gymops(source, database)[0] == 0  # nothing to do, so nothing to ask


@pytest.mark.parametrize(("keys", "code"), [("y\n", 0), ("n\n", 130), ("\x03", 130), ("\x04", 130)])
def test_asked_on_a_terminal(keys: str, code: int, database: str, tmp_path: Path) -> None:
    source = tmp_path / "gym.db"
    large(source, 50)

    with terminal(source, database) as screen:
        screen.expect("Go on?")
        assert _tables(database) == []
        screen.type(keys)
        ended = screen.ended()

    assert ended[0] == code
    assert ("VERIFIED" in ended[1]) == (code == 0)
    assert bool(_tables(database)) == (code == 0)


@pytest.mark.parametrize("flag", ["--yes", "--json"])
def test_a_terminal_is_not_asked(flag: str, database: str, tmp_path: Path) -> None:
    source = tmp_path / "gym.db"
    large(source, 50)

    with terminal(source, database, flag) as screen:
        ended = screen.ended()

    assert ended[0] == 0
    assert "Go on?" not in screen.seen


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15)])
def test_interrupted_in_the_middle_of_the_copy(
    number: int, code: int, gymops_database: str, tmp_path: Path
) -> None:
    source = tmp_path / "gym.db"
    large(source, 60_000)

    process = start(source, gymops_database, "--yes")
    wait_for(process, "copying")
    process.send_signal(number)
    stopped = finish(process)

    assert stopped[0] == code
    if number == signal.SIGINT:
        assert "interrupted\nhint:  run the same command again" in stopped[2]
        assert _runs(gymops_database) == [("failed", True)]
    assert gymops(source, gymops_database, "--yes")[0] == 0
    assert _runs(gymops_database) == [("failed", True), ("done", True)]
    assert schema.check(gymops_database).ok


@pytest.mark.parametrize(
    "moment",
    [
        Crash(5, at="copy_to", signal=signal.SIGINT),
        Crash(2, at="INSERT INTO checkpoints", signal=signal.SIGINT),
        Crash(2, at="CREATE INDEX", signal=signal.SIGINT),
        Crash(1, at="COPY ( SELECT", signal=signal.SIGINT),
        # The connection cannot be used any more, which must not hide why.
        Crash(5, at="copy_to", during=True, signal=signal.SIGINT),
        Crash(2, at="INSERT INTO checkpoints", during=True, signal=signal.SIGINT),
        Crash(1, at="COPY ( SELECT", during=True, signal=signal.SIGINT),
    ],
    ids=["batch", "checkpoint", "index", "proof", "in a batch", "in a statement", "in the proof"],
)
def test_ctrl_c_is_recorded(moment: Crash, gymops_database: str, tmp_path: Path) -> None:
    source = tmp_path / "workspace"
    expected = workspace(source, users=2)

    stopped = migrate(source, gymops_database, moment)

    assert stopped.code == 130
    assert _runs(gymops_database) == [("failed", True)]
    assert migrate(source, gymops_database).code == 0
    assert_whole(gymops_database, expected)


def test_ctrl_c_on_a_terminal_while_it_copies(gymops_database: str, tmp_path: Path) -> None:
    source = tmp_path / "gym.db"
    large(source, 60_000)

    with terminal(source, gymops_database, "--yes") as screen:
        screen.expect("copying")
        screen.type("\x03")
        ended = screen.ended()

    assert ended == (130, "")
    assert _runs(gymops_database) == [("failed", True)]
    assert gymops(source, gymops_database, "--yes")[0] == 0


def test_a_row_changed_behind_the_mark_is_found_by_the_proof(gymops_database: str, tmp_path: Path) -> None:
    source = tmp_path / "gym.db"
    large(source, 600)

    # What is read before the indexes are built: the proof begins beside the first of them.
    all_is_copied = Crash(1, at="SELECT run_id, dropped_indexes", signal=signal.SIGSTOP)
    running = Migration(source, gymops_database, all_is_copied).stopped()
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("UPDATE events SET event_type = 'SetDeleted' WHERE id = 590")
    done = running.go_on().ended()
    again = gymops(source, gymops_database, "--json")

    assert done.code == 3
    assert "position=590, column='event_type', a='SetDeleted', b='SetLogged'" in done.error
    assert _runs(gymops_database) == [("failed", True)]
    assert again[0] == 3
    message = json.loads(again[1])["error"]["message"]
    assert "1 events changed" in message
    assert "position 590, event_type" in message


def test_a_target_that_keeps_another_value_than_it_was_given_is_told(
    gymops_database: str, tmp_path: Path
) -> None:
    source = tmp_path / "gym.db"
    large(source, 60)
    with psycopg.connect(gymops_database) as connection:
        connection.execute(
            "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.event_type := 'SetDeleted'; RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER other BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.position = 59)"
            " EXECUTE FUNCTION other()"
        )

    code, out, _ = gymops(source, gymops_database, "--yes")

    assert code == 3
    assert "position 59, event_type: SetLogged in source, SetDeleted in target" in out
    assert "VERIFIED" not in out
    assert _runs(gymops_database) == [("failed", True)]


def test_a_target_that_has_moved_on_is_left_alone(gymops_database: str, tmp_path: Path) -> None:
    source = tmp_path / "gym.db"
    large(source, 50)
    assert gymops(source, gymops_database, "--yes")[0] == 0
    with psycopg.connect(gymops_database) as connection:
        connection.execute(
            'INSERT INTO events (user_id, position, event_id, "timestamp", event_type, payload)'
            " SELECT 'default', 51, gen_random_uuid(), now(), 'SetLogged', '{}'"
        )
    before = _runs(gymops_database)
    with closing(sqlite3.connect(source)) as sqlite, sqlite:
        sqlite.execute("INSERT INTO events VALUES (NULL, 'new', '2026-01-01T00:00:00Z', 'SetLogged', '{}')")

    code, out, _ = gymops(source, gymops_database, "--yes", "--json")

    assert (code, json.loads(out)["error"]["code"]) == (4, "refused")
    assert "1 events of the source's users that the source lacks" in json.loads(out)["error"]["message"]
    assert _runs(gymops_database) == before


@pytest.mark.long
def test_ctrl_c_while_two_processes_read(gymops_database: str, tmp_path: Path) -> None:
    source = tmp_path / "gym.db"
    large(source, 400_000)

    with terminal(source, gymops_database, "--yes") as screen:
        screen.expect("reading the source")
        screen.helped()
        screen.type("\x03")
        ended = screen.ended()

    assert ended == (130, "")
    assert "Process" not in screen.seen
    assert _runs(gymops_database) == []


def test_the_embedded_server_is_killed_in_between() -> None:
    with tempfile.TemporaryDirectory(prefix="gymops-") as folder:  # short: a socket lies in it
        source = Path(folder) / "gym.db"
        large(source, 60_000)

        def gymops_here(*arguments: str) -> subprocess.Popen[str]:
            return subprocess.Popen(
                [sys.executable, "-m", "gymops", *arguments],
                env=environment(""), cwd=folder, text=True, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip

        try:
            process = gymops_here("migrate", "gym.db", "--yes")
            wait_for(process, "copying")
            (file,) = Path(folder).rglob("postmaster.pid")
            os.kill(int(file.read_text().split()[0]), signal.SIGKILL)
            failed = finish(process)
            again = finish(gymops_here("migrate", "gym.db", "--yes", "--json"))
        finally:
            finish(gymops_here("db", "stop", "--timeout", "0.5"))

    assert failed[0] == 1
    assert "error: the connection to the database was lost" in failed[2]
    assert again[0] == 0, again[2]
    assert json.loads(again[1])["verified"] is True
