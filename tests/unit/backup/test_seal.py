"""Seals together say what the whole log says, and none can be taken out of the row."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gymops.eventlog.digest import CHUNK, Rejected
from gymops.eventlog.seal import Sealed, SealError, load, sealed
from tests.contract.strategies import FEW
from tests.unit.backup.growing import GrowingLog, seals

_MORE = st.sampled_from([1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
_GROWTHS = st.lists(st.lists(st.tuples(st.sampled_from(["a", "b", "é", ""]), _MORE), max_size=3), max_size=6)


@given(_GROWTHS)
@FEW
def test_seals_together_are_the_digest_of_the_whole_log(growths: list[list[tuple[str, int]]]) -> None:
    log, together = GrowingLog(), Sealed()
    for growth in growths:
        for user, events in growth:
            log.grow(user, events)
        seal = log.seal(together)
        assert load(seal.dump(), "it") == seal
        together.add(seal)
        assert (together.head, together.events) == (log.head(), sum(log.users.values()))


def test_a_seal_holds_only_what_grew() -> None:
    log, together = GrowingLog(), Sealed()
    log.grow("a", 5 * CHUNK + 1)
    log.grow("b", 1)
    together.add(log.seal(together))
    log.grow("b", 1)
    seal = log.seal(together)
    assert list(seal.streams) == ["b"]
    assert seal.events == 5 * CHUNK + 3


@pytest.mark.parametrize("missing", [0, 1, 3])
def test_none_can_be_taken_out_of_the_row(missing: int) -> None:
    row = seals(5)
    del row[missing]
    with pytest.raises(SealError, match="does not follow"):
        sealed(row)


def test_two_cannot_change_places() -> None:
    row = seals(3)
    with pytest.raises(SealError, match="does not follow"):
        sealed([row[0], row[2], row[1]])


def test_one_cannot_be_changed_while_another_follows() -> None:
    row = seals(3)
    row[1] = replace(row[1], rejected=Rejected(1, "00"))
    with pytest.raises(SealError, match="does not follow"):
        sealed(row)


@pytest.mark.parametrize("changed", [{"head": "00" * 32}, {"events": 7}])
def test_one_that_does_not_add_up_is_refused(changed: dict[str, object]) -> None:
    row = seals(3)
    with pytest.raises(SealError, match="does not add up"):
        sealed([*row[:2], replace(row[2], **changed)])  # type: ignore[arg-type]


def test_a_stream_with_fewer_chunks_than_events_is_refused() -> None:
    (row,) = seals(1)
    short = {
        user: replace(one, chunks=one.chunks[:-1], events=one.events) for user, one in row.streams.items()
    }
    short = {user: replace(one, events=2 * CHUNK) for user, one in short.items()}
    with pytest.raises(SealError, match="other chunks than events"):
        sealed([replace(row, streams=short)])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"format": 2}',
        b"[" * 100_000,
        b'{"format": 1, "rejected": 5, "streams": {}}',
    ],
)
def test_what_is_no_seal_is_told(text: bytes) -> None:
    with pytest.raises(SealError, match="the seal 7 is damaged"):
        load(text, "7")


def test_its_text_has_one_spelling() -> None:
    (seal,) = seals(1)
    text = seal.dump()
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")).encode() == text
    assert load(text, "").digest == seal.digest
