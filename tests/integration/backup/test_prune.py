"""What tiers let go of goes, also when whoever deletes it is killed at any step."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gymops.backup import lsn, prune
from gymops.backup.recovery_point import RecoveryPoint, StoredFile
from gymops.backup.source import Place
from gymops.backup.tiers import DEFAULT
from gymops.backup.vault import Vault
from gymops.clock import SystemClock
from gymops.store.objects import StoreError
from tests.integration.backup.conftest import vault_in
from tests.unit.backup.points import point
from tests.unit.clocks import START

DAY = timedelta(days=1)
SIZE = 1 << 20
NOW = START + 60 * DAY


class Later(SystemClock):
    """So late that nothing new is left alone."""

    def now(self) -> datetime:
        return super().now() + DAY


def filled(folder: Path) -> Vault:
    """Sixty days: a base backup each, kept for seven, and four segments of WAL behind each; and bytes that
    nobody named.
    """
    vault = vault_in(folder, "prod", Later())
    source = folder / "segment"
    source.write_bytes(b"wal" * 100)
    for day in range(60):
        at, start = START + day * DAY, lsn.spell(day * 4 * SIZE)
        one = point(at, environment="prod", start_lsn=start, segment=SIZE, keep_until=at + 7 * DAY)
        key = vault.key(one.id, "base.tar.zst.age")
        write(vault, key)
        vault.catalogue.add(RecoveryPoint(**{**vars(one), "files": (StoredFile(key, 5, "00", 5),)}))
        wal = vault.wal("7", SIZE)
        for n in range(day * 4, day * 4 + 4):
            end = (n + 1) * SIZE
            wal.add(lsn.segment(1, n * SIZE, SIZE), source, end, Place(at, "0/0", lsn.spell(end), "7", 1))
    write(vault, vault.key("20260101T000000Z-00000000", "base.tar.zst.age"))
    return vault


def write(vault: Vault, key: str) -> None:
    with vault.blobs.write(key) as sink:
        sink.write(b"bytes")


def settled(vault: Vault) -> None:
    """What is needed is there, whole; nothing else is."""
    points = vault.catalogue.points()
    assert [one.ended for one in points] == [START + n * DAY for n in (30, *range(54, 60))]
    (wal,) = vault.wals(list(points))
    stored = wal.stored()
    assert [one.start // SIZE for one in stored] == list(range(120, 240))
    named = {file.key for one in points for file in one.files} | {wal.file(one.stem) for one in stored}
    assert set(vault.blobs.keys("")) == named


def test_what_may_go_goes(tmp_path: Path) -> None:
    vault = filled(tmp_path)
    pruned = prune.prune(vault, DEFAULT, NOW)
    assert (len(pruned.points), pruned.segments, len(pruned.unclaimed)) == (53, 120, 1)
    settled(vault)
    again = prune.prune(vault, DEFAULT, NOW)
    assert (again.points, again.segments, again.unclaimed) == ((), 0, ())
    for one in vault.wals(list(vault.catalogue.points())):
        for stored in one.stored():
            one.segment(stored)


def test_bytes_without_a_record_are_left_while_somebody_may_be_at_them(tmp_path: Path) -> None:
    vault = vault_in(tmp_path, "prod")
    write(vault, vault.key("x", "base.tar.zst.age"))
    assert prune.prune(vault, DEFAULT, NOW).unclaimed == ()


def test_one_whose_bytes_are_gone_is_told_and_is_not_the_last_good_one(tmp_path: Path) -> None:
    vault = filled(tmp_path)
    newest = vault.catalogue.points()[-1]
    vault.blobs.delete(newest.files[0].key)
    pruned = prune.prune(vault, (), NOW + 300 * DAY)
    assert pruned.without_bytes == (newest,)
    (left,) = vault.catalogue.points()
    assert left.ended == START + 58 * DAY


def test_what_cannot_be_deleted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = filled(tmp_path)

    def refused(key: str) -> None:
        raise StoreError(f"{key}: Permission denied", hint="check the folder and its permissions")

    monkeypatch.setattr(vault.blobs, "delete", refused)
    with pytest.raises(StoreError, match="Permission denied"):
        prune.prune(vault, DEFAULT, NOW)


_KILLED = """
import os
import signal
import sys
from pathlib import Path

from gymops.backup import prune
from gymops.backup.tiers import DEFAULT
from gymops.store.directory import DirectoryObjects
from gymops.store.folder import FolderBlobs
from tests.integration.backup.conftest import vault_in
from tests.integration.backup.test_prune import NOW, Later

folder, after = Path(sys.argv[1]), int(sys.argv[2])
done = 0

def counted(owner):
    real = owner.delete

    def delete(*given, **named):
        global done
        if done == after:
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
        return real(*given, **named)

    owner.delete = delete

counted(DirectoryObjects)
counted(FolderBlobs)
prune.prune(vault_in(folder, "prod", Later()), DEFAULT, NOW)
"""


@pytest.mark.long
@pytest.mark.parametrize("after", [0, 1, 2, 105, 106, 107, 230, 345, 346])
def test_killed_at_any_deletion_the_next_run_goes_on(tmp_path: Path, after: int) -> None:
    vault = filled(tmp_path)
    died = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path), str(after)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    there = set(vault.blobs.keys(""))
    assert all(file.key in there for one in vault.catalogue.points() for file in one.files)
    prune.prune(vault, DEFAULT, NOW)
    settled(vault)
