"""Restores: to a time, from a point, apart from everything, killed anywhere; what is refused."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gymops.backup import isolated
from gymops.backup.port import OutOfReach, Restored, Wanted
from gymops.backup.recovery_point import Kind, NoPoint
from gymops.backup.restore import Restores
from gymops.clock import SystemClock, ticks
from gymops.errors import GateRefused
from gymops.eventlog.postgres import PostgresLog
from gymops.pg import embedded, process, schema
from gymops.pg.binaries import find_binaries, find_system, major
from gymops.pg.embedded import Server
from tests.conftest import _FAST
from tests.integration.backup.conftest import Backed, vault_in
from tests.integration.backup.restoring.conftest import CLOCK, Stored, moment, take

MICRO = timedelta(microseconds=1)


def restore(restores: Restores, wanted: Wanted) -> tuple[Any, Restored]:
    plan = restores.plan(wanted)
    return plan, restores.restore(plan)


def value(url: str, query: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


@pytest.mark.long
def test_each_time_holds_what_was_committed_by_then(stored: Stored) -> None:
    for at, count in zip(stored.times, stored.counts, strict=True):
        restores = stored.restores()
        plan, restored = restore(restores, Wanted(at=at, test=True))
        proof = restores.prove(plan, restored)
        assert restored.url
        assert value(restored.url, "SELECT count(*) FROM events") == count
        assert proof.passed
        assert proof.restored_events + proof.newer == count
        restores.drop(restored)


def test_a_point_alone_is_restored_as_it_is(stored: Stored) -> None:
    restores = stored.restores()
    plan, restored = restore(restores, Wanted(tier="daily", test=True))
    assert (plan.at, plan.lost_events, plan.lost_since) == (None, 306, stored.point.began)
    assert restores.prove(plan, restored).restored_events == stored.counts[0]
    restores.drop(restored)


def test_a_time_out_of_reach_is_refused_with_the_nearest(stored: Stored) -> None:
    restores = stored.restores()
    with pytest.raises(OutOfReach, match="is before what can be restored") as before:
        restores.plan(Wanted(at=stored.point.ended - MICRO))
    assert before.value.nearest == stored.point.ended
    with pytest.raises(OutOfReach, match="is after what can be restored") as after:
        restores.plan(Wanted(at=CLOCK.now() + timedelta(days=1)))
    nearest = after.value.nearest
    assert nearest is not None
    assert nearest > stored.times[-1]
    assert (before.value.exit_code, after.value.exit_code) == (4, 4)
    assert "--at" in (after.value.hint or "")
    # The nearest can be restored, and nothing later.
    assert restores.plan(Wanted(at=nearest)).at == nearest
    with pytest.raises(OutOfReach):
        restores.plan(Wanted(at=nearest + MICRO))


def test_a_gap_in_the_wal_ends_what_can_be_restored(stored: Stored) -> None:
    point, row = stored.point, stored.wal()
    assert point.system
    stored.vault.wal(point.system, point.segment).remove(row[3])
    restores = stored.restores()
    assert restores.plan(Wanted(at=stored.times[0])).at
    with pytest.raises(OutOfReach, match="WAL is missing from there on") as caught:
        restores.plan(Wanted(at=stored.times[-1]))
    nearest = caught.value.nearest
    assert nearest is not None
    assert nearest < stored.times[-1]
    assert restores.plan(Wanted(at=nearest)).at == nearest


def test_what_is_not_there_is_not_restored(stored: Stored) -> None:
    with pytest.raises(NoPoint, match="no recovery point nothing"):
        stored.restores().plan(Wanted(point="nothing"))
    with pytest.raises(NoPoint, match="of the tier monthly"):
        stored.restores().plan(Wanted(tier="monthly"))


@pytest.mark.parametrize("what", ["folder", "file", "link"])
def test_a_restore_never_goes_over_anything(what: str, stored: Stored) -> None:
    to = stored.backed.folder / "new"
    if what == "folder":
        to.mkdir()
    elif what == "file":
        to.touch()
    else:
        to.symlink_to("nowhere")
    with pytest.raises(GateRefused, match="is there already"):
        stored.restores().plan(Wanted(to=str(to)))


@pytest.mark.long
def test_what_is_kept_moves_to_its_name_and_is_apart(stored: Stored) -> None:
    restores = stored.restores()
    to = stored.backed.folder / "new"
    plan, restored = restore(restores, Wanted(to=str(to)))
    assert not to.exists()
    assert restores.prove(plan, restored).passed
    if sys.platform == "linux":  # made durable at once, and not a thousand times
        assert value(restored.url or "", "SHOW recovery_init_sync_method") == "syncfs"
    kept = restores.keep(plan, restored)
    server = restores.server(kept)
    try:
        assert server.home == to
        assert kept.url
        assert value(kept.url, "SELECT count(*) FROM events") == stored.counts[-1]
        _is_apart(kept.url)
        # The embedded server's commands know it by its folder.
        assert embedded.status(server).ready
        embedded.stop(server, clock=CLOCK)
        embedded.start(server, clock=CLOCK)
        _is_apart(kept.url)
        with pytest.raises(GateRefused, match="made by no restore"):
            restores.drop(kept)
    finally:
        embedded.stop(server, clock=CLOCK)
    assert sorted(one.name for one in stored.backed.folder.iterdir()) == ["new", "store"]


def _is_apart(url: str) -> None:
    for name, wanted in {
        "listen_addresses": "", "archive_mode": "off", "primary_conninfo": "", "shared_preload_libraries": "",
        "max_logical_replication_workers": "0", "max_wal_senders": "0",
    }.items():  # fmt: skip
        assert value(url, f"SHOW {name}") == wanted
    assert value(url, "SELECT count(*) FROM pg_replication_slots") == 0
    assert value(url, "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'logical%'") == 0


@pytest.mark.long
def test_what_the_source_would_do_is_not_done_by_its_copy(stored: Stored) -> None:
    """Its settings name an archive, a preloaded library and a primary; the copy hears of none of them."""
    archived = stored.backed.folder / "archived"
    bad = {
        "archive_mode": "on", "archive_command": f"touch {archived}", "primary_conninfo": "host=/nowhere",
        "shared_preload_libraries": "no_such_scheduler", "listen_addresses": "*",
    }  # fmt: skip
    backed = stored.backed
    try:
        for name, setting in bad.items():
            backed.sql(f"ALTER SYSTEM SET {name} = '{setting}'")
        stored.take()
    finally:
        for name in bad:
            backed.sql(f"ALTER SYSTEM RESET {name}")
    restores = stored.restores()
    plan, restored = restore(restores, Wanted(test=True))
    assert restored.url
    _is_apart(restored.url)
    value(restored.url, "SELECT pg_switch_wal()")
    auto = restores.server(restored).folder / "settings-of-the-source" / "postgresql.auto.conf"
    assert "no_such_scheduler" in auto.read_text()
    assert restores.prove(plan, restored).passed
    restores.drop(restored)
    assert not archived.exists()


def _hashes(folder: Path) -> Mapping[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != ".lock")
    return {str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest() for file in files}


def test_the_store_stays_as_it_is_byte_for_byte(stored: Stored) -> None:
    store = stored.backed.folder / "store"
    before = _hashes(store)
    assert stored.test().passed
    assert _hashes(store) == before


@pytest.mark.long
def test_nothing_asks_the_server_that_was_backed_up(stored: Stored) -> None:
    """Its URL is only read for the names of its database and its user."""
    restores = stored.restores(url="postgresql://gymops@/gymops?host=/nowhere")
    assert stored.test(restores=restores).passed


@pytest.mark.long
def test_a_database_and_a_user_of_other_names_are_read(stored: Stored) -> None:
    backed = stored.backed
    backed.sql("CREATE ROLE titan LOGIN")
    try:
        backed.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO titan")
        backed.sql("GRANT CONNECT ON DATABASE gymops TO titan")
        stored.take()
    finally:
        backed.sql("DROP OWNED BY titan")
        backed.sql("DROP ROLE titan")
    restores = stored.restores(url="postgresql://titan@db.example.com:6432/gymops")
    plan, restored = restore(restores, Wanted(test=True))
    assert restored.url
    assert value(restored.url, "SELECT current_user") == "titan"
    assert restores.prove(plan, restored).passed
    restores.drop(restored)


@pytest.mark.long
def test_a_dump_is_loaded_into_a_fresh_server_and_proved(stored: Stored) -> None:
    taker = stored.backed.taker(method="dump")
    point = taker.take(taker.plan("daily"), CLOCK.now()).point
    assert point
    assert point.kind is Kind.DUMP
    restores = stored.restores()
    plan, restored = restore(restores, Wanted(point=point.id, test=True))
    proof = restores.prove(plan, restored)
    assert (proof.passed, proof.restored_events) == (True, stored.counts[-1])
    restores.drop(restored)
    # To a time before the dump it cannot be; and a damaged one is no backup.
    for base in stored.vault.catalogue.points():
        if base.kind is Kind.BASE:
            stored.vault.catalogue.remove(base)
    with pytest.raises(OutOfReach):
        restores.plan(Wanted(at=CLOCK.now()))
    path = stored.blob(point.files[0].key)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert stored.test().result == "failed"


@pytest.mark.long
def test_a_backup_of_another_version_is_restored_by_the_programs_of_that_version(tmp_path: Path) -> None:
    system = find_system()
    if system is None:
        pytest.skip("no PostgreSQL is installed on the system")
    with embedded.temporary(clock=CLOCK, postgres_bin=system, settings=_FAST) as server:
        schema.upgrade(server.url(), clock=CLOCK)
        backed = Backed(server.url(), server.binaries, vault_in(tmp_path, "shop"), tmp_path)
        backed.append("ann", 1100)
        take(backed, "daily")
        at = moment(backed)
        backed.append("ann", 1)
        take(backed, "continuous")
    restores = Restores(backed.vault, backed.url, [find_binaries(), system], tmp_path / "home", CLOCK)
    for wanted, events in ((Wanted(test=True), 1101), (Wanted(at=at, test=True), 1100)):
        plan, restored = restore(restores, wanted)
        assert plan.settings["programs"] == f"PostgreSQL {major(system)}"
        assert restores.prove(plan, restored).restored_events == events
        restores.drop(restored)


def _child(stored: Stored, what: str, place: str) -> subprocess.CompletedProcess[str]:
    shutil.copytree(stored.keys, stored.backed.folder / "keys", dirs_exist_ok=True)
    module = "tests.integration.backup.restoring.child"
    command = [sys.executable, "-m", module, str(stored.backed.folder), stored.backed.url, what, place]
    return subprocess.run(
        command, cwd=Path(__file__).parents[4], capture_output=True, text=True, timeout=120, check=False
    )


def _servers(folder: Path) -> list[int]:
    return [pid for data in folder.rglob("postgres/data") for pid in process.orphans(data)]


def _gone(folder: Path) -> bool:
    return any(not _servers(folder) for _ in ticks(SystemClock(), timeout=30, interval=0.05))


@pytest.mark.long
@pytest.mark.parametrize("place", ["plan", "wal", "unpack", "recover", "up", "check", "prove", "drop", "end"])
def test_a_killed_restore_test_leaves_nothing_after_the_next(place: str, stored: Stored) -> None:
    killed = _child(stored, "test", place)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert _gone(stored.backed.folder)
    assert stored.test().passed
    assert {one.name for one in stored.backed.folder.iterdir()} == {"keys", "store", "work"}
    assert not [one for one in (stored.vault.work / "tests").iterdir() if one.name != ".lock"]


@pytest.mark.long
@pytest.mark.parametrize("place", ["wal", "unpack", "recover", "up", "check", "prove", "keep", "end"])
def test_a_killed_restore_is_there_whole_or_not_at_all(place: str, stored: Stored) -> None:
    to = stored.backed.folder / "new"
    killed = _child(stored, str(to), place)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    if place == "end":
        server = Server(to, stored.backed.binaries)
        assert embedded.status(server).ready
        embedded.stop(server, clock=CLOCK)
        return
    assert _gone(stored.backed.folder)
    assert not to.exists()
    restores = stored.restores()
    plan, restored = restore(restores, Wanted(to=str(to)))
    assert restores.prove(plan, restored).passed
    kept = restores.keep(plan, restored)
    embedded.stop(restores.server(kept), clock=CLOCK)
    assert {one.name for one in stored.backed.folder.iterdir()} == {"keys", "store", "new"}


@pytest.mark.long
def test_what_ended_elsewhere_than_it_should_is_no_recovery(stored: Stored) -> None:
    restores = stored.restores()
    _, restored = restore(restores, Wanted(test=True))
    assert restored.url
    found = isolated.reached(restores.server(restored), restored.url)
    assert (found.timeline, found.why) == (1, "no recovery target specified")
    with closing(PostgresLog(restored.url)) as log:
        assert sum(log.counts().values()) == stored.counts[-1]
    restores.drop(restored)
