"""``gymops restore --switch`` of a server of one's own that only a URL leads to, as a user meets it."""

from __future__ import annotations

import json
import os

import pytest

from gymops.eventlog.sample import write_workspace
from gymops.pg import process
from tests.acceptance.test_restore_command import DAMAGE, EVENTS, Place, empty
from tests.acceptance.test_restore_killed import kill, records

__all__ = ["empty"]
pytestmark = pytest.mark.long


@pytest.fixture
def shop(empty: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """``prod`` is a database of a server elsewhere; its URL is in a variable of the process."""
    (empty.folder / "gymops.toml").write_text('[environments.prod]\ndatabase = "env:PROD_DATABASE_URL"\n')
    empty.good("--home", "elsewhere", "db", "start")
    url = empty.good("--home", "elsewhere", "db", "url").strip()
    monkeypatch.setenv("PROD_DATABASE_URL", url)
    write_workspace(empty.folder / "workspace", users=3, events=EVENTS, seed=1)
    empty.good("migrate", "workspace", "--to", "env:prod", "--yes")
    empty.good("backup", "prod")
    return empty


def test_it_is_loaded_beside_and_takes_the_name(shop: Place) -> None:
    before, url = now_of(shop), os.environ["PROD_DATABASE_URL"]
    sql(shop, DAMAGE)
    command = ("restore", "prod", "--at", before, "--to", "new", "--switch")
    plan = shop.run(*command, "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "switch   load this into " in plan.stderr
    assert shop.run(*command).returncode == 2  # nobody can be asked
    assert sql(shop, "SELECT count(*) FROM events") == "1500"
    # Killed before the names change and after: the same command, or the next one, ends it.
    kill(shop, "launch after", *command, "--yes")
    told = shop.json(*command, "--yes")
    assert (told["result"], told["switched"]) == ("passed", 2)
    assert told["kept"].startswith("gymops-before-")
    assert sql(shop, "SELECT count(*) FROM events") == str(EVENTS)
    assert sql(shop, "SELECT count(*) FROM pg_database WHERE datname LIKE 'gymops%'") == "2"
    assert os.environ["PROD_DATABASE_URL"] == url
    assert len(records(shop)) == 1
    assert all("elsewhere" in one for one in data_of(shop))
    shop.good("backup", "prod", "--tier", "continuous")
    assert shop.json("restore-test", "prod")["events"]["restored"] == EVENTS
    # Again, killed when it had the name and was not recorded.
    sql(shop, DAMAGE)
    kill(shop, "record before", "restore", "prod", "--at", before, "--switch", "--yes")
    assert sql(shop, "SELECT count(*) FROM events") == str(EVENTS)
    done = shop.run("restore", "prod", "--at", before, "--to", "other", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["switched"] is None
    assert len(records(shop)) == 3
    assert shop.run("backup", "prod").returncode == 0


def sql(place: Place, statement: str) -> str:
    return place.sql(statement, "--home", "elsewhere")


def now_of(place: Place) -> str:
    return sql(place, """SELECT to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""")


def data_of(place: Place) -> list[str]:
    """The data directories that are served."""
    found = place.folder.rglob("postgres/data")
    return [str(data) for data in found if process.orphans(data)]
