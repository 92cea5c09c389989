"""``gymops restore`` and ``gymops restore-test`` as a user meets them, and the runbook of restores, run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gymops import runbook
from gymops.eventlog.sample import write_workspace
from gymops.pg import process
from tests.acceptance.test_docs import RESTORE_RUNBOOK

EVENTS = 3000
DAMAGE = "ALTER TABLE events DISABLE TRIGGER ALL; DELETE FROM events WHERE position > 500"
_KEYS = {
    "result", "recovery_point", "events", "digest", "rpo_seconds", "rto_seconds", "phases", "target",
}  # fmt: skip


@dataclass
class Place:
    """A folder with an environment ``local``."""

    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("GYMOPS_", "PG"))
        }
        done = subprocess.run(
            [sys.executable, "-m", "gymops", *arguments], cwd=self.folder, env=environ,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def good(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sql(self, statement: str, *where: str) -> str:
        return self.good(*where, "db", "shell", "--", "-Atqc", statement).strip()

    def servers(self) -> list[int]:
        return [pid for data in self.folder.rglob("postgres/data") for pid in process.orphans(data)]


@pytest.fixture
def empty() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="gymops-") as folder:
        place = Place(Path(folder))
        yield place
        for home in {found.parent for found in place.folder.rglob("postgres") if (found / "data").exists()}:
            place.run("--home", str(home), "db", "stop", "--timeout", "1")


@pytest.fixture
def backed(empty: Place) -> Place:
    """With 3,000 events that were backed up, and 20 that came later."""
    write_workspace(empty.folder / "workspace", users=3, events=EVENTS, seed=1)
    empty.good("migrate", "workspace", "--yes")
    empty.good("backup", "local")
    empty.good("backup", "local", "--tier", "continuous")
    return empty


def now(place: Place) -> str:
    """A moment of the server's."""
    return place.sql("""SELECT to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""")


def test_in_an_empty_directory_a_backup_can_be_tested(empty: Place) -> None:
    nothing = empty.json("restore-test", "local", code=1)
    assert (nothing["result"], nothing["recovery_point"]) == ("could not verify", None)
    empty.good("backup", "local")
    tested = empty.json("restore-test", "local")
    assert set(tested) >= _KEYS
    assert (tested["result"], tested["events"]) == ("passed", {"expected": 0, "restored": 0})
    assert tested["digest"]["expected"] == tested["digest"]["restored"]
    assert tested["target"]["tier"] == "continuous"
    assert len(empty.servers()) > 0  # its own; the restored one is gone
    assert not list((empty.folder / ".gymops/work/tests").glob("work-*"))


@pytest.mark.long
def test_what_is_refused_says_the_nearest_and_what_to_type(backed: Place) -> None:
    early = backed.json("restore", "local", "--at", "2020-01-01", code=4)["error"]
    assert early["code"] == "out_of_reach"
    assert "is before what can be restored: the nearest time is 20" in early["message"]
    late = backed.run("restore", "local", "--at", "2099-01-01T00:00:00+01:00", "--to", "new")
    assert late.returncode == 4
    assert "is after what can be restored" in late.stderr
    nearest = late.stderr.split("--at ")[1].split()[0]
    assert backed.json("restore", "local", "--at", nearest, "--plan")["seal"]["events"] == EVENTS
    assert backed.run("restore", "local", "--at", "yesterday").returncode == 2
    assert backed.run("restore", "local", "--to", "workspace").returncode == 4
    assert backed.run("restore", "local", "--from", "none").returncode == 1
    assert backed.run("restore", "nowhere").returncode == 2
    assert backed.run("restore", "local", "--switch").returncode == 2  # nobody can be asked
    assert backed.run("restore-test", "local", "--all", "--tier", "daily").returncode == 2
    assert not (backed.folder / "new").exists()
    before = now(backed)
    backed.sql(DAMAGE)
    plan = backed.run("restore", "local", "--at", before, "--plan")
    assert plan.returncode == 0
    assert f"{EVENTS:,} events that were sealed" in plan.stderr
    assert "lost     what was committed since" in plan.stderr


@pytest.mark.long
def test_every_tier_the_app_and_a_stopped_server(backed: Place) -> None:
    backed.good("backup", "local", "--tier", "monthly")
    backed.good("db", "stop")
    tested = backed.json("restore-test", "local", "--all", "--with-app")
    assert tested["result"] == "passed"
    assert [one["tier"] for one in tested["tests"]] == [None, "daily", "monthly"]
    assert {one["app"] for one in tested["tests"]} == {tested["tests"][0]["app"]}
    assert tested["tests"][0]["app"].startswith("healthy; the history of sample|000001 lists ")
    assert not backed.servers()
    listed = backed.json("backups", "local")
    assert all(point["verified"] for point in listed["points"])
    shown = backed.good("restore-test", "local")
    assert shown.startswith("result   PASSED\n")
    assert f"events   {EVENTS:,} of {EVENTS:,} sealed\n" in shown


@pytest.mark.long
@pytest.mark.parametrize("how", ["changed-row", "missing-event", "later-event", "damaged-page"])
def test_a_drill_that_is_found_is_well(how: str, backed: Place) -> None:
    tested = backed.json("restore-test", "local", "--drill", how)
    assert (tested["result"], tested["drill"].startswith(how)) == ("failed", True)
    if how == "changed-row":
        assert "came back with another payload" in tested["message"]
    assert backed.json("audit", "local", code=3)  # none of it is a failed test
    assert not list((backed.folder / ".gymops/backups/records/tests").rglob("*.json"))


@pytest.mark.long
def test_two_at_once_and_one_that_is_killed(backed: Place) -> None:
    command = [sys.executable, "-m", "gymops", "restore-test", "local", "--json"]
    killed = subprocess.Popen(command, cwd=backed.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert killed.stderr
    for line in killed.stderr:
        if line.startswith(b"recover"):
            break
    killed.kill()
    killed.communicate()
    both = [
        subprocess.Popen(
            command, cwd=backed.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    ended = [one.communicate(timeout=180) for one in both]
    assert [json.loads(out)["result"] for out, _ in ended] == ["passed", "passed"], ended
    assert not list((backed.folder / ".gymops/work/tests").glob("work-*"))
    backed.good("db", "stop")
    assert not backed.servers()


def _follow(place: Place, section: str, values: Mapping[str, str]) -> list[str]:
    """Run the commands of a section of the runbook; what they said."""
    part = runbook.read("restore").text.split(f"\n## {section}")[1].split("\n## ")[0]
    shown = runbook.parse("restore", f"# {section}{part}").commands
    assert shown
    said = []
    for command in shown:
        done = place.run(*command.words(values)[1:])
        assert command.as_expected(done.returncode), f"{command.line}: {done.stdout}{done.stderr}"
        said.append(done.stdout)
    return said


@pytest.mark.long
def test_minutes_back_to_the_second_before(backed: Place) -> None:
    before = now(backed)
    backed.sql(DAMAGE)
    assert backed.sql("SELECT count(*) FROM events") == "1500"
    said = _follow(backed, "1. Minutes", {"ENV": "local", "TIME": before})
    assert "proved   3,000 events" in said[1]
    assert "switched local runs on it" in said[1]
    assert backed.sql("SELECT count(*) FROM events") == str(EVENTS)
    assert backed.json("restore-test", "local")["events"]["restored"] == EVENTS


@pytest.mark.long
def test_a_backup_of_a_damaged_log_is_taken_is_not_good_and_leads_back(backed: Place) -> None:
    backed.sql(DAMAGE)
    shown = backed.run("backup", "local")
    assert shown.returncode == 1
    assert "DAMAGED  the log: 'sample|00000" in shown.stdout
    assert " has 500 events, and " in shown.stdout
    assert "sealed  " not in shown.stdout
    told = backed.json("backup", "local", "--tier", "continuous", code=1)
    assert told["recovery_point"] is None
    assert shown.stderr.splitlines()[-1] == f"next: {told['damaged']['hint']}"
    listed = backed.good("backups", "local")
    assert listed.count("log DAMAGED") == 1
    assert "not sealed: daily, " in listed
    first, *_ = backed.json("audit", "local", code=3)["findings"]
    assert (first["kind"], first["next"]) == ("log-damaged", told["damaged"]["hint"])
    command = told["damaged"]["hint"].replace("NEW", "whole").split()
    assert f"proved   {EVENTS:,} events" in backed.good(*command[1:])


@pytest.mark.long
def test_days_a_copy_beside_what_runs(backed: Place) -> None:
    before = now(backed)
    backed.sql(DAMAGE)
    _follow(backed, "2. Days", {"ENV": "local", "TIME": before})
    backed.good("--home", "before-the-damage", "db", "start")
    assert backed.sql("SELECT count(*) FROM events", "--home", "before-the-damage") == str(EVENTS)
    assert backed.sql("SELECT count(*) FROM events") == "1500"
    url = backed.good("--home", "before-the-damage", "db", "url").strip()
    different = backed.run("verify", url, "env:local")
    assert different.returncode == 3
    assert "first " in different.stdout


@pytest.mark.long
def test_months_an_old_point(backed: Place) -> None:
    (point, *_) = backed.json("backups", "local")["points"]
    backed.sql(DAMAGE)
    _follow(backed, "3. Months", {"ENV": "local", "ID": point["id"]})
    backed.good("--home", "as-it-was", "db", "start")
    assert backed.sql("SELECT count(*) FROM events", "--home", "as-it-was") == str(EVENTS)


@pytest.mark.long
def test_the_region_is_gone(backed: Place) -> None:
    """What is left: the settings, the keys and the store; on another machine, in an empty folder."""
    with tempfile.TemporaryDirectory(prefix="gymops-") as folder:
        other = Place(Path(folder))
        home = other.folder / ".gymops"
        home.mkdir(mode=0o700)
        for kept in ("keys", "backups"):
            shutil.copytree(backed.folder / ".gymops" / kept, home / kept)
        backed.good("db", "stop")
        try:
            said = _follow(other, "4. The machine", {"ENV": "local"})
            assert "result   PASSED" in said[1]
            assert "switched local runs on it" in said[3]
            assert other.sql("SELECT count(*) FROM events") == str(EVENTS)
            assert "result   PASSED" in said[5]
        finally:
            for found in {home, *(home / "restored").glob("*")}:
                other.run("--home", str(found), "db", "stop", "--timeout", "1")


def test_every_command_of_the_runbook_is_in_one_of_its_sections() -> None:
    text = RESTORE_RUNBOOK.read_text(encoding="utf-8")
    sections: list[Callable[[str], bool]] = []
    for title in ("1. Minutes", "2. Days", "3. Months", "4. The machine"):
        part = text.split(f"\n## {title}")[1].split("\n## ")[0]
        sections.append(lambda line, part=part: f"$ {line}\n" in part)  # type: ignore[misc]
    for command in runbook.read("restore").commands:
        assert any(section(command.line) for section in sections), command.line
