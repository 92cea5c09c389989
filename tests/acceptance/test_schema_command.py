"""``gymops schema`` as a user meets it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gymops.clock import SystemClock
from gymops.pg.connection import connect
from gymops.pg.lock import hold
from tests.later import Later

Gymops = Callable[..., "subprocess.CompletedProcess[str]"]
ALL = ["0001", "0002", "0003", "0004", "0005"]


@pytest.fixture
def gymops() -> Iterator[Gymops]:
    """``gymops("schema", "upgrade")`` in a folder of its own, whose server is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="gymops-") as folder:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("GYMOPS_", "PG"))}

        def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
            done = subprocess.run(
                [sys.executable, "-m", "gymops", *arguments],
                cwd=folder,
                env={**plain, **variables},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert "Traceback" not in done.stderr
            assert "s3cret" not in done.stdout + done.stderr
            return done

        yield run
        run("db", "stop", "--timeout", "0.5")


def _json(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    assert (done.returncode, done.stderr) == (code, "")
    return json.loads(done.stdout)


def test_a_database_s_way_to_the_newest_schema(gymops: Gymops, database: str) -> None:
    place = {"DB": database.replace("gymops@", "gymops:s3cret@")}
    to = ("--to", "env:DB")

    before = _json(gymops("schema", "current", *to, "--pending", "--json", **place), 3)
    assert before == {"target": database, "current": None, "pending": ALL, "newer": []}
    unchecked = _json(gymops("schema", "check", *to, "--json", **place), 3)
    assert (unchecked["ok"], [c["name"] for c in unchecked["checks"]]) == (False, ["revision", "accepted"])
    assert gymops("schema", "current", *to, **place).returncode == 0

    done = _json(gymops("schema", "upgrade", *to, "--json", **place))
    assert done == {"target": database, "applied": ALL, "current": "0005"}
    again = gymops("schema", "upgrade", *to, **place)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == f"{database} is at revision 0005\nnothing to do\n"

    assert _json(gymops("schema", "current", *to, "--pending", "--json", **place))["pending"] == []
    checked = _json(gymops("schema", "check", *to, "--json", **place))
    assert set(checked) == {"target", "ok", "checks"}
    assert checked["ok"] is True
    assert all(set(check) == {"name", "ok", "detail"} for check in checked["checks"])
    listed = _json(gymops("schema", "history", *to, "--json", **place))["revisions"]
    assert [(r["id"], r["phase"], r["applied"]) for r in listed] == [(i, "expand", True) for i in ALL]


def test_the_embedded_server_is_the_default_and_is_started(gymops: Gymops) -> None:
    first = gymops("schema", "upgrade")
    assert first.returncode == 0, first.stderr
    assert "started the embedded PostgreSQL" in first.stderr
    assert "applied: 0001, 0002, 0003, 0004, 0005" in first.stdout
    second = gymops("schema", "check")
    assert (second.returncode, second.stderr) == (0, "")
    assert "append_only" in second.stdout


def test_history_needs_no_database(gymops: Gymops) -> None:
    shown = gymops("schema", "history")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert [line.split()[:2] for line in shown.stdout.splitlines()[2:]] == [[i, "expand"] for i in ALL]
    listed = _json(gymops("schema", "history", "--json"))["revisions"]
    assert {revision["applied"] for revision in listed} == {None}


@pytest.mark.long
def test_what_a_later_gymops_did_is_told(gymops: Gymops, gymops_database: str, tmp_path: Path) -> None:
    later, to = Later(tmp_path), ("--to", gymops_database)
    added = later.expand()
    later.upgrade(gymops_database)
    shown = gymops("schema", "current", *to, "--pending")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.splitlines() == [
        added,
        f"newer than this gymops: {added}; the schema was only added to",
    ]
    assert gymops("schema", "history", *to).stdout.splitlines()[-1].split()[:3] == [added, "expand", "yes"]
    assert gymops("schema", "check", *to).returncode == 0

    contract = later.contract()
    later.upgrade(gymops_database)
    refused = gymops("schema", "current", *to)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{contract} takes away" in refused.stderr
    assert "hint:  use a later release" in refused.stderr


def test_a_finding_exits_3_and_names_the_way_out(gymops: Gymops, gymops_database: str) -> None:
    with connect(gymops_database, autocommit=True) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
    found = gymops("schema", "check", "--to", gymops_database)
    assert found.returncode == 3
    assert "ENABLE ALWAYS TRIGGER" in found.stdout


def test_a_held_lock_exits_7_and_names_its_holder(gymops: Gymops, database: str) -> None:
    with hold(database, "schema", clock=SystemClock(), holder="schema"):
        refused = gymops("schema", "upgrade", "--to", database, "--json")
    assert refused.returncode == 7
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == "locked"
    assert f"process {os.getpid()} " in error["message"]


@pytest.mark.parametrize(
    ("to", "code", "says"),
    [
        ("env:NOT_SET", 2, "NOT_SET"),
        ("postgresql://ann:s3cret@ret@db/gym", 2, "@ is written %40"),
        (
            "postgresql://ann:s3cret@127.0.0.1:1/gym",
            1,
            "postgresql://ann@127.0.0.1:1/gym: nothing listens there",
        ),
        ("s3cret.db", 2, "neither a postgresql:// URL nor"),
    ],
)
def test_a_wrong_target_is_told_with_a_hint(gymops: Gymops, to: str, code: int, says: str) -> None:
    for verb in ("upgrade", "current", "check"):
        refused = gymops("schema", verb, "--to", to)
        assert (refused.returncode, refused.stdout) == (code, "")
        assert says in refused.stderr
        assert "\nhint:  " in refused.stderr


def test_a_foreign_database_is_refused(gymops: Gymops, database: str) -> None:
    with connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE events (id serial PRIMARY KEY)")
    refused = gymops("schema", "upgrade", "--to", database, "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["code"] == "schema"
    assert refused.stderr == ""


def test_every_command_documents_its_keys_and_exit_codes(gymops: Gymops) -> None:
    for verb in ("upgrade", "current", "history", "check"):
        shown = gymops("schema", verb, "--help").stdout
        assert "--json: {" in shown
        assert "--to URL" in shown
    assert "Exit codes:" in gymops("schema", "--help").stdout
