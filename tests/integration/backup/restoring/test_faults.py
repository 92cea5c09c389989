"""What can be wrong with a backup, and the verdict of a restore-test on it: never a false pass, never a false
alarm.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gymops.backup import stream
from gymops.backup.evidence import Result
from gymops.backup.keys import Keys, open_keys
from gymops.backup.port import Wanted
from gymops.backup.recovery_point import RecoveryPoint, StoredFile
from gymops.backup.source import Place
from gymops.backup.take import Taker
from gymops.backup.tiers import DEFAULT
from gymops.backup.vault import Vault
from gymops.backup.wal import WalGap
from gymops.errors import Unknown, Unverified
from gymops.eventlog.seal import Seal
from gymops.pg.binaries import find_system
from gymops.store.folder import FolderBlobs
from gymops.store.objects import StoreError
from tests.integration.backup.restoring.conftest import CLOCK, Stored

PASSED, FAILED, UNVERIFIED = Result.PASSED, Result.FAILED, Result.UNVERIFIED


def long(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.long)


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def _middle(stored: Stored) -> Any:
    row = stored.wal()
    assert len(row) >= 4
    return row[2]


def _file(stored: Stored, segment: Any) -> str:
    point = stored.point
    assert point.system
    return stored.vault.wal(point.system, point.segment).file(segment.stem)


def wal_segment_missing(stored: Stored) -> None:
    point = stored.point
    assert point.system
    stored.vault.wal(point.system, point.segment).remove(_middle(stored))


def wal_segment_without_bytes(stored: Stored) -> None:
    stored.vault.blobs.delete(_file(stored, _middle(stored)))


def wal_segment_corrupt(stored: Stored) -> None:
    path = stored.blob(_file(stored, _middle(stored)))
    _flip(path, path.stat().st_size // 2)


def wal_segment_of_another_place(stored: Stored) -> None:
    row = stored.wal()
    other = stored.blob(_file(stored, row[3])).read_bytes()
    stored.blob(_file(stored, row[2])).write_bytes(other)


def bit_of_what_is_stored(stored: Stored) -> None:
    path = stored.blob(stored.point.files[0].key)
    _flip(path, path.stat().st_size // 2)


def bit_of_a_heap_page(stored: Stored) -> None:
    """Found by the hash: the record is of the bytes before."""
    _damage_page(stored)


def bit_of_a_heap_page_with_a_rewritten_manifest(stored: Stored) -> None:
    point = stored.point
    file = _damage_page(stored)
    _sign_anew(stored, replace(point, files=(file,)))


def row_changed_by_sql(stored: Stored) -> None:
    """A backup of a database whose row was changed after it was sealed: all of its own hashes are right."""
    backed = stored.backed
    change = "UPDATE events SET payload = %s::jsonb WHERE user_id = 'ann' AND position = 1500"
    (before,) = backed.sql("SELECT payload::text FROM events WHERE user_id = 'ann' AND position = 1500")
    try:
        backed.sql("ALTER TABLE events DISABLE TRIGGER events_append_only")
        backed.sql(change, '{"n": 1}')
        stored.take()
    finally:
        backed.sql(change, before)
        backed.sql("ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only")


def truncated_upload(stored: Stored) -> None:
    path = stored.blob(stored.point.files[0].key)
    path.write_bytes(path.read_bytes()[:-5000])


def entry_without_data(stored: Stored) -> None:
    stored.vault.blobs.delete(stored.point.files[0].key)


def record_changed(stored: Stored) -> None:
    point = stored.point
    path = stored.backed.folder / "store" / "records" / "points" / "shop" / f"{point.id}.json"
    path.write_text(path.read_text().replace(point.server, "18.5"))


def wal_damaged_before_it_was_stored(stored: Stored) -> None:
    """Its hash is right, and PostgreSQL takes the damage for the end of the WAL, in silence."""
    point, segment = stored.point, _middle(stored)
    assert point.system
    wal = stored.vault.wal(point.system, point.segment)
    wal.fetch(segment, stored.backed.folder)
    source = stored.backed.folder / segment.name
    data = bytearray(source.read_bytes())
    used = len(data.rstrip(b"\0"))
    data[used // 2 : used // 2 + 64] = bytes(64)
    source.write_bytes(bytes(data))
    known = wal.segment(segment)
    wal.remove(segment)
    wal.add(segment.name, source, segment.end, Place(known.at, "", known.end_lsn, point.system, 1))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (wal_segment_missing, "WAL is missing: nothing that was committed after"),
        long(wal_segment_without_bytes, "is not there"),
        (wal_segment_corrupt, "damaged|is not what was stored"),
        long(wal_segment_of_another_place, "is not what was stored"),
        long(wal_damaged_before_it_was_stored, "some of it is damaged"),
        long(bit_of_what_is_stored, "damaged|is not what was stored"),
        long(bit_of_a_heap_page, "is not what was stored"),
        long(bit_of_a_heap_page_with_a_rewritten_manifest, "invalid page in block 0"),
        (row_changed_by_sql, "user 'ann', chunk 2: something changed from position 1025"),
        long(truncated_upload, "damaged|is not what was stored|no whole tar"),
        (entry_without_data, "is not there"),
        long(record_changed, "was changed after it was signed"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_damaged_fails(fault: Callable[[Stored], None], said: str, stored: Stored) -> None:
    fault(stored)
    tested = stored.test()
    assert (tested.result, tested.rto_seconds) == (FAILED, None), tested
    assert tested.message
    assert any(part in tested.message for part in said.split("|")), tested.message


@pytest.mark.long
def test_the_very_event_is_named_while_the_source_still_has_it(stored: Stored) -> None:
    row_changed_by_sql(stored)
    (event,) = stored.backed.sql("SELECT event_id::text FROM events WHERE user_id='ann' AND position=1500")
    tested = stored.test(live=stored.backed.url)
    assert tested.message
    assert (
        f"user 'ann', position 1500: event {event} (SetLogged) came back with another payload"
        in tested.message
    )
    # A source that is gone, or no longer what was sealed, names nothing.
    tested = stored.test(live="postgresql:///?host=/nowhere")
    assert tested.message
    assert "1500" not in tested.message


def wrong_key(stored: Stored) -> Vault:
    other = open_keys(stored.backed.folder / "other", {})
    keys = Keys(stored.vault.keys.signing, other.identity)
    return replace(stored.vault, keys=keys)


def wrong_signing_key(stored: Stored) -> Vault:
    other = open_keys(stored.backed.folder / "other", {})
    return replace(stored.vault, keys=Keys(other.signing, stored.vault.keys.identity))


def expired_credentials(stored: Stored) -> Vault:
    class Expired(FolderBlobs):
        def read(self, key: str) -> Any:
            raise Unknown("the credentials expired", hint="sign in again")

    return replace(stored.vault, blobs=Expired(stored.backed.folder / "store" / "data", CLOCK))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (wrong_key, "is encrypted to another key"),
        (wrong_signing_key, "is signed by another key"),
        (expired_credentials, "the credentials expired"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_nobody_can_know_is_not_told(
    fault: Callable[[Stored], Vault], said: str, stored: Stored
) -> None:
    tested = stored.test(restores=stored.restores(vault=fault(stored)))
    assert tested.result is UNVERIFIED
    assert tested.message
    assert said in tested.message
    assert tested.hint


def test_programs_of_another_version_cannot_verify(stored: Stored) -> None:
    system = find_system()
    if system is None:
        pytest.skip("no PostgreSQL is installed on the system")
    tested = stored.test(restores=stored.restores(programs=[system]))
    assert tested.result is UNVERIFIED
    assert tested.message
    assert "is of PostgreSQL 18" in tested.message
    with pytest.raises(Unverified, match="is of PostgreSQL 18"):
        stored.restores(programs=[system]).plan(Wanted())


@pytest.mark.long
def test_data_without_an_entry_is_passed_over(stored: Stored) -> None:
    newest = stored.take().point
    assert newest
    stored.vault.catalogue.remove(newest)
    tested = stored.test()
    assert tested.result is PASSED
    assert tested.recovery_point != newest.id


@pytest.mark.long
def test_nothing_at_all_cannot_be_verified(stored: Stored) -> None:
    for point in stored.vault.catalogue.points():
        stored.vault.catalogue.remove(point)
    tested = stored.test()
    assert (tested.result, tested.recovery_point) == (UNVERIFIED, None)


@pytest.mark.long
def test_a_seal_that_is_gone_proves_nothing_either_way(stored: Stored) -> None:
    stored.vault.objects.delete("seals/shop/00000002.json")
    tested = stored.test()
    assert tested.result is UNVERIFIED
    assert tested.message
    assert "no seal 2" in tested.message


@pytest.mark.parametrize("what", ["point", "wal", "wal-between-record-and-bytes"])
def test_what_is_deleted_during_the_test_is_no_failure(what: str, stored: Stored) -> None:
    point, middle = stored.point, _middle(stored)
    assert point.system
    wal = stored.vault.wal(point.system, point.segment)

    class Between(FolderBlobs):
        def read(self, key: str) -> Any:
            if key == wal.file(middle.stem):
                wal.remove(middle)
            return super().read(key)

    def meanwhile(phase: str, _: str) -> None:
        if phase == "wal" and what == "wal":
            wal.remove(middle)
        if phase == "unpack" and what == "point":
            stored.vault.catalogue.remove(point)
            stored.vault.blobs.delete(point.files[0].key)

    vault = stored.vault
    if what == "wal-between-record-and-bytes":
        vault = replace(vault, blobs=Between(stored.backed.folder / "store" / "data", CLOCK))
    tested = stored.test(restores=stored.restores(vault=vault), tell=meanwhile)
    assert tested.result is UNVERIFIED, tested


@pytest.mark.long
def test_an_idle_database_passes_up_to_its_last_mark(stored: Stored) -> None:
    """Nothing was committed since the newest seal, and a time after it can be restored all the same."""
    stored.take("continuous")
    at = stored.backed.sql("SELECT clock_timestamp()")[0]
    stored.take("continuous")
    tested = stored.test()
    assert (tested.result, tested.newer) == (PASSED, 0)
    assert tested.rpo_seconds is not None
    assert tested.restored_to
    assert tested.restored_to > at
    assert stored.test(Wanted(at=at)).result is PASSED


@pytest.mark.long
@pytest.mark.parametrize("skew", [timedelta(days=-1), timedelta(days=1)])
def test_our_clock_may_be_wrong(skew: timedelta, stored: Stored) -> None:
    class Skewed(type(CLOCK)):  # type: ignore[misc]
        def now(self) -> Any:
            return super().now() + skew

    tested = stored.test(restores=stored.restores(clock=Skewed()))
    assert tested.result is PASSED
    assert tested.rpo_seconds is not None
    assert tested.rpo_seconds >= 0


@pytest.mark.long
def test_a_server_whose_clock_was_set_back_is_held_to_what_its_recovery_passed(stored: Stored) -> None:
    """The newest seal says an earlier time than commits before it: a restore to that time lacks it."""
    seals = stored.vault.seals.read()
    _seal_anew(stored, replace(seals[-1], taken=stored.times[1] - timedelta(microseconds=1)))
    tested = stored.test(Wanted(at=stored.times[1]))
    assert tested.result is PASSED, tested
    assert tested.events.restored == stored.counts[1]


@pytest.mark.long
def test_two_backups_in_one_second_are_two(stored: Stored) -> None:
    points = [stored.take().point for _ in range(2)]
    names = [point.id for point in points if point]
    assert len(set(names)) == 2
    assert [stored.test(Wanted(point=name)).result for name in names] == [PASSED, PASSED]


@pytest.mark.long
def test_two_restore_tests_at_once_do_not_disturb_each_other(stored: Stored) -> None:
    results: list[Result] = []
    both = threading.Barrier(2)

    def test() -> None:
        both.wait(30)
        from gymops.backup import restore_test
        from gymops.backup.recovery_point import new_id
        from gymops.backup.restore_test import How

        how = How(new_id(CLOCK.now()), "shop", DEFAULT, stored.vault.seals)
        results.append(restore_test.run(stored.restores(), Wanted(), how, CLOCK).result)

    threads = [threading.Thread(target=test) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert results == [PASSED, PASSED]
    assert not list((stored.vault.work / "tests").glob("work-*"))


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("megabytes", [10, long(60), long(110)])
def test_a_full_disk_in_a_restore_cannot_verify(megabytes: int, stored: Stored) -> None:
    """While WAL is fetched, while the base is unpacked, and while PostgreSQL recovers."""
    with small_disk(stored.backed.folder / "small", megabytes) as disk:
        vault = replace(stored.vault, work=disk)
        tested = stored.test(restores=stored.restores(vault=vault))
        assert tested.result is UNVERIFIED, tested
        assert "room" in (tested.hint or ""), tested
        assert not list((disk / "tests").glob("work-*"))


@pytest.mark.long
def test_a_full_disk_in_a_backup_leaves_what_was_there(stored: Stored) -> None:
    with small_disk(stored.backed.folder / "small", 2) as disk:
        blobs = FolderBlobs(disk, CLOCK)
        backed = replace(stored.backed, vault=replace(stored.vault, blobs=blobs))
        taker: Taker = backed.taker()
        with pytest.raises(StoreError, match="No space left"):
            taker.take(taker.plan("daily"), CLOCK.now())
    assert len(stored.vault.catalogue.points()) == 1
    assert stored.test().result is PASSED


def test_a_base_that_was_taken_before_its_wal_was_lost_says_up_to_when(stored: Stored) -> None:
    wal_segment_missing(stored)
    with pytest.raises(WalGap, match="WAL is missing") as caught:
        stored.restores().plan(Wanted())
    assert "--at" in (caught.value.hint or "")


def _damage_page(stored: Stored) -> StoredFile:
    """Store the base anew with one bit of the first page of events flipped; the file as it is now."""
    vault, old = stored.vault, stored.point.files[0]
    (relation,) = stored.backed.sql("SELECT pg_relation_filepath('events')")
    plain = io.BytesIO()
    with vault.blobs.read(old.key) as source:
        stream.load(source, plain, vault.keys, name=old.key)
    data = bytearray(plain.getvalue())
    with tarfile.open(fileobj=io.BytesIO(bytes(data))) as tar:
        offset = tar.getmember(relation).offset_data
    data[offset + 8192 - 40] ^= 1
    sink = io.BytesIO()
    written = stream.store(io.BytesIO(bytes(data)), sink, vault.keys)
    stored.blob(old.key).write_bytes(sink.getvalue())
    return StoredFile(old.key, written.bytes, written.sha256, written.plain)


def _sign_anew(stored: Stored, point: RecoveryPoint) -> None:
    stored.vault.catalogue.remove(point)
    stored.vault.catalogue.add(point)


def _seal_anew(stored: Stored, seal: Seal) -> None:
    stored.vault.objects.delete(f"seals/shop/{seal.number:08d}.json")
    stored.vault.seals.add(seal)
