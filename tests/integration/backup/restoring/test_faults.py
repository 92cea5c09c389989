"""What can be wrong with a backup, and the verdict of a restore-test on it: never a false pass."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gymops.backup import stream
from gymops.backup.evidence import Result
from gymops.backup.port import Wanted
from gymops.backup.recovery_point import RecoveryPoint, StoredFile
from gymops.backup.source import Place
from gymops.backup.wal import WalGap
from tests.integration.backup.restoring.conftest import Stored

FAILED = Result.FAILED


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
