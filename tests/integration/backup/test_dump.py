"""A server that only SQL reaches: the dump holds exactly what was sealed, whatever is written meanwhile."""

from __future__ import annotations

import subprocess
from contextlib import closing

import pytest

from gymops.backup import dump, stream
from gymops.backup.listing import listing
from gymops.backup.recovery_point import Kind
from gymops.clock import SystemClock
from gymops.errors import GymopsError
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.proof import prove
from gymops.pg import embedded
from gymops.pg.programs import ProgramError
from tests.conftest import Databases, fresh_databases
from tests.integration.backup.conftest import APPEND, Backed

CLOCK = SystemClock()


@pytest.fixture
def elsewhere(backed: Backed, new_database: Databases) -> str:
    """An empty database of another server."""
    return new_database("template0")


def test_a_dump_holds_exactly_what_was_sealed(
    backed: Backed, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed.append("a", 1500)
    real = dump.take

    def later(*given: object, **named: object) -> stream.Written:
        backed.append("a", 7)  # sealed already, and not dumped yet
        backed.append("new", 3)
        return real(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(dump, "take", later)
    taker = backed.taker(method="dump")
    taken = taker.take(taker.plan("weekly"), CLOCK.now())
    point = taken.point
    assert point
    assert (point.kind, point.tier, taken.until) == (Kind.DUMP, "weekly", None)
    assert point.seal
    assert point.seal.events == 1500
    assert listing(backed.vault).windows == ()
    file = backed.folder / "dump"
    with backed.vault.blobs.read(point.files[0].key) as stored, file.open("wb") as target:
        stream.load(stored, target, backed.vault.keys, name="it")
    restore = [str(backed.binaries / "pg_restore"), "--no-owner", "--no-acl", "-d", elsewhere, str(file)]
    done = subprocess.run(restore, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with closing(PostgresLog(elsewhere)) as log:
        proof = prove(log, backed.vault.seals.sealed(point.seal.number))
    assert proof.passed
    assert proof.newer == 0


def test_the_next_dump_goes_on_from_the_seal(backed: Backed) -> None:
    taker = backed.taker(method="dump")
    backed.append("a", 5)
    first = taker.take(taker.plan(None), CLOCK.now()).seal
    same = taker.take(taker.plan(None), CLOCK.now()).seal
    backed.append("a", 5)
    second = taker.take(taker.plan(None), CLOCK.now()).seal
    assert first == same
    assert first
    assert second
    assert (first.events, second.events, second.number) == (5, 10, 2)


def test_a_dump_that_fails_is_not_recorded(backed: Backed) -> None:
    backed.append("a", 5)
    with pytest.raises(ProgramError, match="does not exist") as told:
        dump.take(
            backed.url,
            backed.binaries,
            "00000000-00000000-1",
            backed.vault.blobs,
            "e/x/dump",
            backed.vault.keys,
        )
    assert told.value.hint
    assert backed.vault.blobs.size("e/x/dump") is None


def test_a_database_of_another_schema_is_dumped_and_that_nothing_is_sealed_is_said(
    backed: Backed, backup_server: embedded.Server
) -> None:
    with fresh_databases(backup_server) as new:
        url = new("template0")
        other = Backed(url, backed.binaries, backed.vault, backed.folder)
        other.sql("CREATE TABLE events (event_id text, data jsonb)")
        taker = other.taker(method="dump")
        taken = taker.take(taker.plan(None), CLOCK.now())
    assert taken.point
    assert taken.point.seal is None
    assert "another schema" in taken.notes[0]


def test_no_other_is_told_of_a_database_that_is_not_there(backed: Backed) -> None:
    gone = Backed(backed.url.replace("/gymops?", "/gone?"), backed.binaries, backed.vault, backed.folder)
    with pytest.raises(GymopsError, match="does not exist"):
        gone.taker(method="dump").plan(None)


def test_nothing_of_a_session_s_own_is_left(backed: Backed) -> None:
    backed.sql(APPEND, "a", "a", 1)
    taker = backed.taker(method="dump")
    taker.take(taker.plan(None), CLOCK.now())
    assert backed.sql("SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'gymops_e%'") == []
