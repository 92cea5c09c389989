"""Bad input as a user meets it: processes, their output, their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sources import LOOSE, change, event, event_id, query, tables, write

Gymops = Callable[..., "subprocess.CompletedProcess[str]"]
BAD = (event(1), event(2, payload='{"reps": NaN}'), event(3, timestamp="soon"), event(4))


@pytest.fixture
def gymops(tmp_path: Path, database: str) -> Gymops:
    """``gymops("migrate", ...)`` in a folder of its own; the target is env:DB."""
    folder = tmp_path / "here"
    folder.mkdir()
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("GYMOPS_", "PG"))}
    url = database.replace("gymops@", "gymops:s3cret@")

    def run(*arguments: str | Path | bytes) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "gymops", *arguments],
            cwd=folder,
            env={**plain, "DB": url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert "s3cret" not in done.stdout + done.stderr
        assert not (folder / ".gymops").exists(), "the embedded server was started"
        return done

    return run


def error_of(done: subprocess.CompletedProcess[str], code: int) -> dict[str, Any]:
    """The one document on stdout of a command that failed under --json."""
    assert done.returncode == code, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert set(document) == {"error"}
    error: dict[str, Any] = document["error"]
    assert set(error) == {"code", "message", "hint"}
    assert error["message"]
    assert error["hint"]
    return error


def test_bad_rows_stop_the_run_with_a_list_and_the_command_to_go_on(
    gymops: Gymops, database: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "gym.db", BAD, LOOSE)

    stopped = gymops("migrate", path, "--to", "env:DB", "--yes")
    assert (stopped.returncode, stopped.stdout) == (1, "")
    assert f"error: 2 rows of {path} cannot be moved as they are; nothing was written:\n" in stopped.stderr
    assert f"  user 'default', {path}, events row 2: payload: NaN, which is no JSON\n" in stopped.stderr
    assert f"  user 'default', {path}, events row 3: timestamp: 'soon' is no timestamp\n" in stopped.stderr
    assert "hint:  " in stopped.stderr
    assert "--on-bad-event quarantine" in stopped.stderr
    assert tables(database) == []

    error = error_of(gymops("migrate", path, "--to", "env:DB", "--json"), 1)
    assert error["code"] == "bad_events"
    assert tables(database) == []

    plan = gymops("migrate", path, "--to", "env:DB", "--plan", "--json")
    assert plan.returncode == 3
    problems = json.loads(plan.stdout)["problems"]
    assert [(p["user_id"], p["file"], p["table"], p["rowid"]) for p in problems] == [
        ("default", str(path), "events", 2),
        ("default", str(path), "events", 3),
    ]
    assert tables(database) == []


def test_quarantined_and_proved_is_zero_and_a_difference_is_three(
    gymops: Gymops, database: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "gym.db", BAD, LOOSE)
    move = ("migrate", path, "--to", "env:DB", "--on-bad-event", "quarantine", "--json")

    done = gymops(*move)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verified"] is True
    assert report["events"] == {"source": 2, "written": 2, "already_there": 0, "rejected": 2}
    assert len(report["rejected_digest"]) == 64

    compared = json.loads(gymops("verify", path, "env:DB", "--json").stdout)
    assert compared["equal"] is True
    assert compared["rejected"]["a"] == compared["rejected"]["b"]
    assert compared["rejected"]["a"]["rows"] == 2

    change(path, "UPDATE events SET timestamp = 'later' WHERE id = 3")
    differs = gymops("verify", path, "env:DB")
    assert differs.returncode == 3
    assert "rejected rows differ" in differs.stdout
    assert gymops(*move).returncode == 3
    assert query(database, "SELECT status FROM runs ORDER BY started_at") == [("done",), ("failed",)]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.parent.exists(), "no such file or directory"),
        (lambda path: path.touch(), "the file is empty"),
        (lambda path: path.write_bytes(b"\x8f" * 8192), "not a SQLite database, or an encrypted one"),
        (lambda path: path.mkdir(), "no databases"),
    ],
    ids=["missing", "empty", "encrypted", "directory"],
)
def test_a_source_that_is_none_is_found_before_the_target_is_asked(
    gymops: Gymops, tmp_path: Path, make: Callable[[Path], object], says: str
) -> None:
    path = tmp_path / "gym.db"
    make(path)
    error = error_of(gymops("migrate", path, "--json"), 1)  # into the embedded server, which stays off
    assert error["code"] == "source"
    assert error["message"].startswith(f"{path}: ")
    assert says in error["message"]


def test_a_target_that_cannot_be_reached(gymops: Gymops, tmp_path: Path) -> None:
    path = write(tmp_path / "gym.db", [event(1)])
    error = error_of(gymops("migrate", path, "--to", f"postgresql:///a?host={tmp_path}", "--json"), 1)
    assert error["code"] == "target"
    assert "nothing listens there" in error["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "env:NOT_SET"),
        ("--to", "mysql://a/b"),
        ("--user", ""),
        ("--user", b"\xff"),
        ("--on-bad-event", "ignore"),
        ("--nonsense",),
    ],
    ids=str,
)
def test_wrong_usage_is_two(gymops: Gymops, tmp_path: Path, arguments: tuple[str | bytes, ...]) -> None:
    path = write(tmp_path / "gym.db", [event(1)])
    error_of(gymops("migrate", path, "--yes", "--json", *arguments), 2)


def test_a_wrong_settings_file_is_two(gymops: Gymops, tmp_path: Path) -> None:
    path = write(tmp_path / "gym.db", [event(1)])
    (tmp_path / "here" / "gymops.toml").write_text("home = ", encoding="utf-8")
    done = gymops("migrate", path, "--to", "env:DB")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: gymops.toml: not valid TOML: ")
    assert "\nhint:  " in done.stderr


def test_a_mapping_in_the_settings_file(gymops: Gymops, database: str, tmp_path: Path) -> None:
    path = tmp_path / "chinook.db"
    change(
        path,
        "CREATE TABLE Invoice (InvoiceId INTEGER PRIMARY KEY)",
        "CREATE TABLE history (n INTEGER PRIMARY KEY, uuid TEXT, at TEXT, kind TEXT, body TEXT)",
        f"INSERT INTO history VALUES (1, '{event_id(1)}', '2024-03-01T00:00:00Z', 'Bought', '{{}}')",
    )
    done = gymops("migrate", path, "--to", "env:DB", "--plan")
    assert done.returncode == 3
    assert "no event log: its tables are moved as they are ([migrate.events] in" in done.stdout

    (tmp_path / "here" / "gymops.toml").write_text(
        "[migrate.events]\ntable = 'history'\nevent_id = 'uuid'\ntimestamp = 'at'\n"
        "event_type = 'kind'\npayload = 'body'\n",
        encoding="utf-8",
    )
    done = gymops("migrate", path, "--to", "env:DB", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["events"]["written"], report["verified"]) == (1, True)
    assert report["unknown_tables"] == ["Invoice"]
    assert query(database, "SELECT event_type FROM events") == [("Bought",)]


def test_a_file_that_cannot_be_verified(gymops: Gymops, database: str, tmp_path: Path) -> None:
    (tmp_path / "gym.db").touch()
    done = gymops("verify", tmp_path / "gym.db", "env:DB", "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["equal"] is None
    assert document["error"]["code"] == "source"


def test_a_path_and_a_user_of_any_letters(gymops: Gymops, database: str, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/w \xff?#%20'\""))
    write(folder / "🏋\nann" / "gym.db", [event(1, payload="{"), event(2)], LOOSE)
    done = gymops("migrate", folder, "--to", "env:DB", "--yes", "--on-bad-event", "quarantine")
    assert done.returncode == 0, done.stderr
    assert "VERIFIED" in done.stdout
    assert query(database, "SELECT user_id FROM events") == [("🏋\nann",)]
