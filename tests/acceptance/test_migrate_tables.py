"""``gymops migrate`` of a file that is no event log, as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.commands import environment, finish, gymops, start, wait_for
from tests.sources import change, query, tables

CHINOOK = Path(__file__).resolve().parents[3] / "shared/data/chinook.sqlite"


@pytest.fixture
def chinook(tmp_path: Path) -> Path:
    """A copy of the sample database."""
    if not CHINOOK.is_file():
        pytest.skip("the sample database Chinook is not part of this repository")
    path = tmp_path / "chinook.sqlite"
    path.write_bytes(CHINOOK.read_bytes())
    return path


def test_it_works_at_once_and_a_second_time(chinook: Path, database: str) -> None:
    code, out, _ = gymops(chinook, database, "--plan")
    assert code == 3
    assert " ->  total numeric(10,2) not null" in out
    code, out, err = gymops(chinook, database, "--yes", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["verified"]
    assert document["digest"]["source"] == document["digest"]["target"]
    assert document["rows"] == {"source": 15607, "written": 15607, "already_there": 0, "rejected": 0}
    assert document["tables"]["PlaylistTrack"]["target"] == "playlisttrack"
    code, out, _ = gymops(chinook, database, "--yes")
    assert code == 0
    assert out.endswith(
        "VERIFIED: source and target hold the same 15,607 rows in 11 tables; there was nothing to do\n"
    )
    assert gymops(chinook, database, "--plan")[0] == 0
    revision = chinook.parent / "versions" / "baseline.py"
    assert gymops(chinook, database, "--plan", "--baseline", str(revision))[0] == 0
    assert 'CREATE TABLE "album"' in revision.read_text(encoding="utf-8")
    code, _, err = gymops(chinook, database, "--plan", "--baseline", str(revision))
    assert code == 2
    assert "exists and is not overwritten" in err
    change(chinook, "UPDATE Track SET UnitPrice = 1.0 WHERE TrackId = 7")
    code, _, err = gymops(chinook, database, "--yes")
    assert code == 4
    assert (
        "1 rows of the source are missing, 1 are there beside; the first that is missing: TrackId = 7" in err
    )
    code, out, _ = finish(_verify(chinook, database))
    assert code == 3
    assert json.loads(out)["tables"]["Track"]["missing"] == 1


def _verify(path: Path, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gymops", "verify", str(path), "env:DB", "--json"],
        env=environment(url),
        cwd=path.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=lambda how: how.name)
def test_killed_or_interrupted_in_the_copy_it_leaves_nothing_and_begins_anew(
    how: signal.Signals, chinook: Path, database: str
) -> None:
    change(
        chinook,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
        " INSERT INTO PlaylistTrack SELECT PlaylistId + 1000 * i, TrackId FROM PlaylistTrack, n LIMIT 400000",
    )
    process = start(chinook, database, "--yes")
    wait_for(process, "copying")
    os.kill(process.pid, how)
    code, _, err = finish(process)
    assert code == (130 if how is signal.SIGINT else -how), err
    assert tables(database) == []
    assert query(database, "SELECT to_regclass('gymops_records.runs')") == [(None,)]
    code, _, err = gymops(chinook, database, "--yes")
    assert code == 0, err


@pytest.mark.long
def test_memory_does_not_grow_with_the_file(tmp_path: Path, database: str) -> None:
    path = tmp_path / "pictures.sqlite"
    change(
        path,
        "CREATE TABLE pictures (id INTEGER PRIMARY KEY, picture BLOB)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
        " INSERT INTO pictures SELECT i, randomblob(2000000) FROM n",
    )
    code, out, err = gymops(path, database, "--yes", "--json")
    assert code == 0, err
    assert json.loads(out)["peak_rss_mb"] < 150
