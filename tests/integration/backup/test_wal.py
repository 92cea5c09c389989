"""The WAL between base backups: no gap is passed over, whatever happens to server, slot and receivers."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from gymops.backup import base, lsn, source, wal
from gymops.backup.envelope import Forged
from gymops.backup.listing import listing
from gymops.backup.recovery_point import RecoveryPoint
from gymops.backup.stream import Damaged
from gymops.backup.take import Taken
from gymops.backup.wal import WalGap
from gymops.clock import SystemClock
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.proof import prove
from gymops.pg import cluster, embedded, schema
from gymops.pg.connection import connect
from tests.integration.backup.conftest import Backed, vault_in

CLOCK = SystemClock()
FILL = "SELECT pg_logical_emit_message(false, 'fill', repeat('x', 5000000)) FROM generate_series(1, 4)"


def take(backed: Backed, tier: str | None = None) -> Taken:
    taker = backed.taker()
    return taker.take(taker.plan(tier), CLOCK.now())


def kept(backed: Backed) -> wal.Wal:
    (found,) = backed.vault.wals(list(backed.vault.catalogue.points()))
    return found


@contextmanager
def server_of_its_own(folder: Path, **settings: str) -> Iterator[Backed]:
    """For what the other tests' server must not suffer."""
    given = {"fsync": "off", "min_wal_size": "32MB", "max_wal_size": "32MB", **settings}
    with embedded.temporary(clock=CLOCK, settings=given) as server:
        schema.upgrade(server.url(), clock=CLOCK)
        yield Backed(server.url(), server.binaries, vault_in(folder, "prod"), folder)


def test_segments_are_stored_once_and_the_last_one_replaced(backed: Backed) -> None:
    take(backed)
    before = {one.stem for one in kept(backed).stored() if not one.partial}
    backed.sql(FILL)
    take(backed, "continuous")
    take(backed, "continuous")
    row = kept(backed).stored()
    assert before < {one.stem for one in row}
    assert len({one.name for one in row}) == len(row)
    assert [one.partial for one in row] == [False] * (len(row) - 1) + [True]
    assert all(one.end == other.start for one, other in pairwise(row))


def test_the_server_keeps_what_is_not_stored_and_no_more(backed: Backed) -> None:
    point = take(backed).point
    assert point
    assert point.start_lsn
    name = wal.slot(backed.vault.environment)
    held = "SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = %s"
    (first,) = backed.sql(held, name)
    backed.sql(FILL)
    assert backed.sql(held, name) == [first]
    take(backed, "continuous")
    (then,) = backed.sql(held, name)
    assert lsn.parse(then) >= lsn.parse(first) + kept(backed).size


def test_a_segment_that_is_fetched_is_the_one_that_was_stored(backed: Backed) -> None:
    take(backed)
    stored = kept(backed).stored()[-1]
    folder = backed.folder / "wal"
    folder.mkdir()
    segment = kept(backed).fetch(stored, folder)
    (file,) = folder.iterdir()
    assert file.name == stored.name
    assert file.stat().st_size == kept(backed).size == segment.file.plain
    assert segment.marked


@pytest.mark.long
@pytest.mark.parametrize("broken", ["flipped", "cut", "gone", "record"])
def test_a_segment_that_is_not_what_was_stored_is_told(backed: Backed, broken: str) -> None:
    take(backed)
    stored = kept(backed).stored()[-1]
    file = Path(backed.vault.where, "data", kept(backed).file(stored.stem))
    record = next(Path(backed.vault.where, "records", "wal").rglob(f"{stored.stem}.json"))
    data = bytearray(file.read_bytes())
    if broken == "record":
        record.write_text(record.read_text().replace("true", "false"))
    elif broken == "gone":
        file.unlink()
    else:
        data[len(data) // 2] ^= 1
        file.write_bytes(data if broken == "flipped" else data[:-1])
    folder = backed.folder / "wal"
    folder.mkdir()
    with pytest.raises((Damaged, Forged) if broken != "gone" else Exception):
        kept(backed).fetch(stored, folder)
    assert list(folder.iterdir()) == []


def test_a_missing_segment_ends_the_window_and_is_fetched_again(backed: Backed) -> None:
    point = take(backed).point
    assert point
    backed.sql(FILL)
    take(backed, "continuous")
    row = kept(backed).chain(1, point.start_lsn or "")
    assert len(row) > 2
    kept(backed).remove(row[1])
    assert len(kept(backed).chain(1, point.start_lsn or "")) == 1
    (window,) = listing(backed.vault).windows
    assert window.latest == point.ended


@pytest.mark.long
def test_a_slot_that_the_server_gave_up_needs_a_new_base_and_that_is_said(tmp_path: Path) -> None:
    with server_of_its_own(tmp_path, max_slot_wal_keep_size="64MB") as backed:
        first = take(backed).point
        for _ in range(8):
            backed.sql(FILL)
            backed.sql("CHECKPOINT")
        assert backed.sql("SELECT wal_status FROM pg_replication_slots") == ["lost"]
        with pytest.raises(WalGap, match="the server no longer has the WAL") as told:
            take(backed, "continuous")
        assert "new base backup" in (told.value.hint or "")
        second = take(backed)
        assert first
        assert second.point
        (note,) = second.notes
        assert f"no time between {first.id} and {second.point.id} can be restored" in note
        assert backed.sql("SELECT wal_status FROM pg_replication_slots") == ["reserved"]
        third = take(backed, "continuous")
        newest = max(listing(backed.vault).windows, key=lambda one: one.latest)
        assert (newest.earliest, newest.latest) == (second.point.ended, third.until)


@pytest.mark.long
def test_another_timeline_needs_a_new_base_and_that_is_said(tmp_path: Path) -> None:
    """A server that was restored or promoted writes another history."""
    with server_of_its_own(tmp_path) as backed:
        first = take(backed).point
        assert first
        restored = embedded.open_server(tmp_path / "restored")
        cluster.prepare_home(restored.home, restored.folder)
        unpacked(backed, first, restored)
        try:
            embedded.start(restored, clock=CLOCK, settings={"restore_command": "false"}, tied_to_parent=True)
            promoted = Backed(restored.url(), backed.binaries, backed.vault, backed.folder)
            with pytest.raises(WalGap, match="another timeline"):
                take(promoted, "continuous")
            second = take(promoted)
            assert second.point
            assert second.point.timeline == 2
            assert second.point.system == first.system
            assert take(promoted, "continuous").until
        finally:
            embedded.stop(restored, clock=CLOCK)


@pytest.mark.long
@pytest.mark.parametrize("target", ["end", "seal"])
def test_base_and_wal_together_bring_back_what_was_sealed(tmp_path: Path, target: str) -> None:
    with server_of_its_own(tmp_path) as backed:
        backed.append("a", 2000)
        point = take(backed).point
        assert point
        seals = []
        for _ in range(3):
            backed.append("a", 700)
            backed.append("b", 1)
            seals.append(take(backed, "continuous").seal)
        lost = seals[1]
        assert lost
    folder = tmp_path / "wal"
    folder.mkdir()
    for stored in kept(backed).chain(1, point.start_lsn or ""):
        kept(backed).fetch(stored, folder)
    _readable(folder)
    restored = embedded.open_server(tmp_path / "restored")
    cluster.prepare_home(restored.home, restored.folder)
    unpacked(backed, point, restored)
    number = lost.number if target == "seal" else None
    sealed = backed.vault.seals.sealed(number)
    assert sealed.last
    settings = {"restore_command": f"cp {folder}/%f %p", "recovery_target_action": "promote"}
    if number:
        settings["recovery_target_lsn"] = sealed.last.lsn
    try:
        embedded.start(restored, clock=CLOCK, settings=settings, tied_to_parent=True)
        with closing(PostgresLog(restored.url())) as log:
            proof = prove(log, sealed)
            assert proof.passed
            assert (proof.restored_events, proof.newer) == ((3402, 0) if number else (4103, 0))
    finally:
        embedded.stop(restored, clock=CLOCK)


def unpacked(backed: Backed, point: RecoveryPoint, server: embedded.Server) -> None:
    base.unpack(backed.vault.blobs, point.files[0], backed.vault.keys, server.data)
    (server.data / "recovery.signal").touch()


def _readable(folder: Path) -> None:
    """The server's own account reads it here."""
    for one in (folder, *folder.parents):
        if one.stat().st_uid == 0 and one != Path("/"):
            one.chmod(one.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    for file in folder.iterdir():
        file.chmod(0o644)


def test_a_server_that_was_put_back_is_told(backed: Backed) -> None:
    point = take(backed).point
    assert point
    with closing(connect(backed.url, autocommit=True)) as connection:
        mark = source.mark(connection)
        earlier = source.Place(mark.at, mark.lsn, lsn.spell(lsn.parse(point.start_lsn or "") - 1), "7", 1)
        with pytest.raises(WalGap, match="put back"):
            wal.receive(
                connection, backed.url, backed.binaries, kept(backed), earlier, point.start_lsn or "",
                backed.folder / "work",
            )  # fmt: skip
    shutil.rmtree(backed.folder / "work", ignore_errors=True)
