"""Of very many seals the older ones are summed up, and may go; what is left proves what it did before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from gymops.backup import envelope, summary
from gymops.backup.catalogue import Seals
from gymops.backup.envelope import Forged
from gymops.backup.keys import Keys
from gymops.eventlog.seal import GoesOn, Seal, Sealed, SealError, sealed
from tests.contract.objects import MemoryObjects
from tests.unit.backup.growing import GrowingLog, seals
from tests.unit.clocks import START

MINUTE = timedelta(minutes=1)


class Counting(MemoryObjects):
    """Knows how much was read."""

    reads = 0

    def get(self, key: str) -> tuple[bytes, str, float] | None:
        self.reads += 1
        return super().get(key)


def _kept(objects: MemoryObjects, keys: Keys, row: Sequence[Seal]) -> Seals:
    kept = Seals(objects, "local", keys, every=10)
    for seal in row:
        kept.add(seal)
        kept.sum_up()
    return kept


def test_with_summaries_everything_is_as_without(objects: MemoryObjects, keys: Keys) -> None:
    row = seals(34)
    kept = _kept(objects, keys, row)
    assert list(objects.keys("summaries/")) == [f"summaries/local/000000{n}.json" for n in (10, 20, 30)]
    assert list(kept.read()) == row
    for upto in (1, 9, 10, 11, 29, 30, 31, 34):
        assert kept.sealed(upto) == sealed(row[:upto])
    assert kept.sealed() == sealed(row)


def test_a_summary_is_read_as_it_was_written() -> None:
    together = sealed(seals(12))
    assert summary.load(summary.dump(together), "it") == together


def test_only_what_comes_after_the_summary_is_read(keys: Keys, clock: object) -> None:
    objects = Counting(clock)  # type: ignore[arg-type]
    kept = _kept(objects, keys, seals(58))
    objects.reads = 0
    kept.sealed()
    assert objects.reads <= 2 + 8


def test_what_nobody_needs_goes_and_the_rest_says_what_it_did(objects: MemoryObjects, keys: Keys) -> None:
    row = seals(95)
    kept = _kept(objects, keys, row)
    assert kept.forget({14, 37}, START + 73 * MINUTE) == 70 - (5 + 8)
    assert [seal.number for seal in kept.read()] == list(range(71, 96))
    assert [int(key[-7:-5]) for key in objects.keys("summaries/")] == [10, 30, 70, 80, 90]
    for upto in (14, 37, 71, 73, 80, 95):
        assert kept.sealed(upto) == sealed(row[:upto])
    for upto in (5, 25, 60):
        with pytest.raises(SealError, match=f"no seal {upto}"):
            kept.sealed(upto)
    assert kept.forget({14, 37}, START + 73 * MINUTE) == 0
    assert kept.forget(set(), START + 73 * MINUTE) == 5 + 8
    log, together = GrowingLog(), kept.sealed()
    log.users = {user: stream.events for user, stream in together.streams.items()}
    log.grow("user 1", 5)
    kept.add(log.seal(together))
    assert kept.sealed().events == together.events + 5


def test_nothing_goes_that_is_not_summed_up(objects: MemoryObjects, keys: Keys) -> None:
    row = seals(9)
    kept = _kept(objects, keys, row)
    assert kept.forget(set(), START + 900 * MINUTE) == 0
    assert list(kept.read()) == row


def test_very_many_that_are_missing_are_told_when_others_go(objects: MemoryObjects, keys: Keys) -> None:
    kept = _kept(objects, keys, seals(48))
    for number in range(20, 30):
        objects.delete(f"seals/local/000000{number}.json")
    with pytest.raises(SealError, match="no seal 20"):
        kept.forget(set(), START + 12 * MINUTE)
    with pytest.raises(SealError, match="no seal 29"):
        next(kept.since(12))
    assert len(objects.keys("seals/")) == 38


@pytest.mark.parametrize("missing", [21, 25])
def test_a_seal_that_is_missing_behind_a_summary_is_told(
    objects: MemoryObjects, keys: Keys, missing: int
) -> None:
    kept = _kept(objects, keys, seals(28))
    objects.delete(f"seals/local/000000{missing}.json")
    with pytest.raises(SealError):
        kept.sealed()
    with pytest.raises(SealError):
        kept.read()


def test_a_summary_that_is_missing_is_told(objects: MemoryObjects, keys: Keys) -> None:
    kept = _kept(objects, keys, seals(28))
    kept.forget(set(), START + 25 * MINUTE)
    objects.delete("summaries/local/00000020.json")
    with pytest.raises(SealError):
        kept.sealed()
    with pytest.raises(SealError):
        kept.read()


def test_a_summary_that_says_something_else_is_told(
    objects: MemoryObjects, keys: Keys, other_keys: Keys
) -> None:
    kept = _kept(objects, keys, seals(28))
    key = "summaries/local/00000020.json"
    stored = objects.get(key)
    assert stored
    document = json.loads(envelope.open_(stored[0], key, {keys.public}))
    objects.delete(key)
    objects.create(key, envelope.close(json.dumps(document).encode(), other_keys))
    with pytest.raises(Forged):
        kept.sealed()
    document["streams"].popitem()
    objects.delete(key)
    objects.create(key, envelope.close(json.dumps(document).encode(), keys))
    with pytest.raises(SealError, match="does not add up"):
        kept.sealed()


def test_a_history_that_was_given_up_stays_given_up(objects: MemoryObjects, keys: Keys) -> None:
    """Seal 26 is the first one of a database that was restored as it was at seal 7."""
    row, log = seals(25), GrowingLog()
    together = sealed(row[:7])
    log.users = {user: stream.events for user, stream in together.streams.items()}
    log.grow("user 2", 3)
    seal = log.seal(together, number=26, previous=row[-1].digest,
                    goes_on=GoesOn(7, row[6].digest, "restore"))  # fmt: skip
    kept = _kept(objects, keys, [*row, seal])
    found = kept.sealed()
    assert found == sealed([*row, seal])
    assert found.events == together.events + 3
    kept.forget(set(), START + 22 * MINUTE)
    assert kept.sealed() == found


def test_what_is_no_summary_is_told() -> None:
    for text in (b"", b"{}", b'{"format": 2}', b"[]", b"\xff"):
        with pytest.raises(SealError, match="the summary it is damaged"):
            summary.load(text, "it")
    with pytest.raises(SealError, match="nothing to sum up"):
        summary.dump(Sealed())
    (seal,) = seals(1)
    together = Sealed()
    together.add(seal)
    together.last = replace(seal, events=5)
    with pytest.raises(SealError, match="does not add up"):
        summary.load(summary.dump(together), "it")


def test_as_far_as_anybody_asks(keys: Keys, clock: object) -> None:
    objects, row = Counting(clock), seals(300)  # type: ignore[arg-type]
    kept = Seals(objects, "local", keys, every=100)
    for seal in row:
        kept.add(seal)
    objects.reads = 0
    assert next(kept.back()) == row[-1]
    assert [one for one, _ in zip(kept.since(150), range(20), strict=False)] == row[149:169]
    assert objects.reads == 8 + 24
    assert list(kept.since(1)) == row
    assert list(kept.back()) == row[::-1]
    assert list(kept.since(301)) == []


def test_from_one_on_up_to_where_those_behind_it_went(objects: MemoryObjects, keys: Keys) -> None:
    row = seals(95)
    kept = _kept(objects, keys, row)
    kept.forget({14, 37}, START + 73 * MINUTE)
    assert list(kept.since(12)) == row[11:14]
    assert list(kept.since(14)) == row[13:14]
    assert list(kept.since(15)) == []
    assert list(kept.since(37)) == row[36:37]
    assert list(kept.since(71)) == row[70:]
    assert list(kept.back()) == row[:69:-1]


@pytest.mark.parametrize("missing", [19, 22, 25])
def test_one_that_is_missing_in_the_row_is_told(objects: MemoryObjects, keys: Keys, missing: int) -> None:
    row = seals(28)
    kept = _kept(objects, keys, row)
    objects.delete(f"seals/local/000000{missing}.json")
    with pytest.raises(SealError, match=f"no seal {missing}"):
        list(kept.since(12))
    objects.create(f"seals/local/000000{missing}.json", _other(keys, row[missing - 1]))
    with pytest.raises(SealError, match=f"no seal {missing}"):
        list(kept.since(12))
    with pytest.raises(SealError, match=f"no seal {missing}"):
        list(kept.back())


def _other(keys: Keys, seal: Seal) -> bytes:
    return envelope.close(replace(seal, lsn="0/77").dump(), keys)


def test_the_newest_by_a_time_is_found_by_halves(keys: Keys, clock: object) -> None:
    objects = Counting(clock)  # type: ignore[arg-type]
    row = seals(58)
    by = _kept(objects, keys, row).by_time()
    objects.reads = 0
    for at in (row[0].taken, row[17].taken, row[40].taken + MINUTE / 2, row[-1].taken + MINUTE):
        assert by(at) == [one for one in row if one.taken <= at][-1]
    assert by(row[0].taken - MINUTE) is None
    assert objects.reads < 6 * 6
    read = objects.reads
    assert by(row[17].taken) == row[17]
    assert objects.reads == read  # each is read once


def test_by_its_time_also_where_older_ones_went_and_what_was_changed_is_told(
    objects: MemoryObjects, keys: Keys
) -> None:
    row = seals(34)
    kept = _kept(objects, keys, row)
    kept.forget(set(), START + 22 * MINUTE)
    by = kept.by_time()
    assert by(row[3].taken) is None
    assert by(row[25].taken) == row[25]
    key = "seals/local/00000026.json"
    found = objects.get(key)
    assert found
    objects.replace(key, found[0].replace(b"events", b"evants", 1), found[1])
    with pytest.raises(Forged):
        kept.by_time()(row[25].taken)
