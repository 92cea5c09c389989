"""``gymops restore`` killed behind the move to its name: the same command, or the next, ends it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.test_restore_command import DAMAGE, EVENTS, Place, backed, empty, now

__all__ = ["backed", "empty"]
pytestmark = pytest.mark.long

_KILLED = """
import os, signal, sys
from gymops.backup import isolated, restored, switch, work
from gymops.backup.restore import Restores

name, _, when = sys.argv[1].partition(" ")
owner = {"clear": work, "launch": isolated, "record": restored, "exchange": switch, "prove": Restores}[name]
real = getattr(owner, name)

def dies(*given, **named):
    if named.get("tied"):  # while it recovers it is tied to its process
        return real(*given, **named)
    if when == "after":
        real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, dies)
from gymops.cli import main
main(sys.argv[2:])
"""


PLACES = ("clear before", "launch before", "launch after", "record before", "record after")


def kill(place: Place, at: str, *arguments: str) -> None:
    command = [sys.executable, "-c", _KILLED, at, *arguments]
    died = subprocess.run(command, cwd=place.folder, capture_output=True, text=True, timeout=180, check=False)
    assert died.returncode == -signal.SIGKILL, died.stdout + died.stderr


def records(place: Place) -> list[Path]:
    return sorted((place.folder / ".gymops/backups/records/restores").rglob("*.json"))


def test_a_restore_is_ended_by_the_same_command(backed: Place) -> None:
    command = ("restore", "local", "--to", "new")
    new = backed.folder / "new"
    for number, at in enumerate(PLACES, 1):
        kill(backed, at, *command)
        assert new.is_dir()
        done = backed.run(*command, "--json")
        assert done.returncode == 0, at + done.stderr
        assert "goes on: " in done.stderr
        told = json.loads(done.stdout)
        assert (told["result"], told["expected"], told["to"]) == ("passed", EVENTS, str(new))
        assert backed.sql("SELECT count(*) FROM events", "--home", "new") == str(EVENTS)
        assert len(records(backed)) == number, at
        assert not (new / "restore.json").exists()
        assert not list(backed.folder.glob(".new.*")), at
        again = backed.run(*command)
        assert again.returncode == 4  # it is done, and nothing goes over it
        backed.good("--home", "new", "db", "stop")
        shutil.rmtree(new)


def test_the_next_command_records_it_and_clears_what_never_moved(backed: Place) -> None:
    kill(backed, "prove before", "restore", "local")
    own = backed.folder / ".gymops" / "restored"
    assert list(own.glob(".*.restoring"))
    kill(backed, "record before", "restore", "local")
    (left,) = (one for one in own.iterdir() if not one.name.startswith("."))
    told = backed.run("restore", "local", "--to", "other", "--json")
    assert told.returncode == 0, told.stderr
    assert f"goes on: {left} was restored by a run that was killed" in told.stderr
    assert {json.loads(json.loads(one.read_text())["signed"])["to"] for one in records(backed)} == {
        str(left), str(backed.folder / "other"),
    }  # fmt: skip
    # Of another time it is not the same: what is there stays, and nothing goes over it.
    kill(backed, "record before", "restore", "local", "--to", "third")
    at = json.loads(told.stdout)["restored_to"]
    refused = backed.run("restore", "local", "--at", "1 second ago", "--to", "third")
    assert refused.returncode == 4, at
    assert len(records(backed)) == 3
    assert backed.run("restore", "local").returncode == 0
    assert not list(own.glob(".*.restoring"))


@pytest.mark.parametrize("at", ["exchange after", "record before"])
def test_a_switch_is_ended_by_the_same_command(at: str, backed: Place) -> None:
    before = now(backed)
    backed.sql(DAMAGE)
    command = ("restore", "local", "--at", before, "--to", "new", "--switch", "--yes")
    kill(backed, at, *command)
    done = backed.run(*command, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["switched"] == 2
    assert backed.sql("SELECT count(*) FROM events") == str(EVENTS)
    (record,) = records(backed)
    assert json.loads(json.loads(record.read_text())["signed"])["switched"] == 2
    first, *_ = backed.json("audit", "local", code=3)["findings"]
    assert (first["kind"], first["next"]) == ("not-backed-up-since-restore", "gymops backup local")
    backed.good("backup", "local")
    assert backed.json("restore-test", "local")["events"]["restored"] == EVENTS


def test_a_switch_that_was_killed_is_ended_by_whatever_restore_is_next(backed: Place) -> None:
    before = now(backed)
    backed.sql(DAMAGE)
    kill(backed, "exchange after", "restore", "local", "--at", before, "--switch", "--yes")
    done = backed.run("restore", "local", "--at", before, "--to", "beside", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["switched"] is None
    assert backed.sql("SELECT count(*) FROM events") == str(EVENTS)
    assert len(records(backed)) == 2
