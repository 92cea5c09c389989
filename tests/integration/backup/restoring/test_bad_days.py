"""What is around a restore-test and not in the backup: nobody's fault is no verdict on it, and nothing that
is well is an alarm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gymops.backup import restore_test
from gymops.backup.evidence import Result
from gymops.backup.keys import Keys, open_keys
from gymops.backup.port import Wanted
from gymops.backup.recovery_point import new_id
from gymops.backup.restore_test import How
from gymops.backup.take import Taker
from gymops.backup.tiers import DEFAULT
from gymops.backup.vault import Vault
from gymops.errors import Unknown, Unverified
from gymops.eventlog.seal import Seal
from gymops.pg.binaries import find_system
from gymops.store.folder import FolderBlobs
from gymops.store.objects import StoreError
from tests.integration.backup.disks import small_disk
from tests.integration.backup.restoring.conftest import CLOCK, Stored

PASSED, UNVERIFIED = Result.PASSED, Result.UNVERIFIED


def long(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.long)


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
    point, middle = stored.point, stored.wal()[2]
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
        how = How(new_id(CLOCK.now()), "shop", DEFAULT, stored.vault.seals)
        results.append(restore_test.run(stored.restores(), Wanted(), how, CLOCK).result)

    threads = [threading.Thread(target=test) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert results == [PASSED, PASSED]
    assert not list((stored.vault.work / "tests").glob("work-*"))


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


def _seal_anew(stored: Stored, seal: Seal) -> None:
    stored.vault.objects.delete(f"seals/shop/{seal.number:08d}.json")
    stored.vault.seals.add(seal)
