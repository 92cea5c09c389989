"""Seals and proofs on their way into a function and out of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gymops.errors import Unverified
from gymops.eventlog import parts
from gymops.eventlog.digest import Rejected, Stream
from gymops.eventlog.postgres import Between
from gymops.eventlog.proof import Broken, Part, proof
from gymops.eventlog.seal import Grown, Sealed
from gymops.eventlog.sealing import Known, Mark

HASH = sha256(b"x").digest()


@given(st.dictionaries(st.text(max_size=6), st.integers(0, 40)), st.text(max_size=6))
def test_every_user_is_in_exactly_one_part_known_or_not(users: dict[str, int], other: str) -> None:
    found = list(parts.split(users, most=2500))
    assert sorted(name for _, names in found for name in names) == sorted(users)
    for between, names in found:
        assert all(between.holds(name) for name in names)
    assert sum(between.holds(other) for between, _ in found) == 1
    assert [between.upto for between, _ in found].index(None) == len(found) - 1


def test_the_order_of_users_is_that_of_their_bytes() -> None:
    assert Between("z", "é").holds("{")
    assert not Between(None, "z").holds("\U0001f600")
    assert Between("\uffff", None).holds("\U0001f600")


def test_a_user_that_fits_into_no_part_is_refused() -> None:
    with pytest.raises(Unverified, match="'ann' has too many events"):
        list(parts.split({"ann": 10**6}))


def test_what_goes_in_comes_out() -> None:
    known = {"zoë": Known(5, HASH, HASH)}
    assert parts.read_known(parts.known(known)) == known
    grown = {"zoë": Grown(2048, HASH, (HASH, HASH))}
    assert parts.read_grown(parts.grown(grown)) == grown
    expected = parts.Expected({"a": Stream(1024, HASH)}, {"a": [HASH]})
    assert parts.read_expected(parts.expected(expected)) == expected
    held = Part(3, "head", 1, {"a": Stream(2, HASH)}, (Broken("a", 1, 1, None, 1),))
    assert parts.read_held(parts.held(held)) == held
    mark, rejected = Mark(datetime(2026, 1, 1, tzinfo=UTC), "0/1", "7"), Rejected(2, "digest")
    assert parts.read_mark(json.loads(json.dumps(parts.mark(mark, rejected)))) == (mark, rejected)


@pytest.mark.parametrize(
    "text", ["", "!", "eJyrVkqtKEgtLkktUbJSKkstKs7Mz1OyUsqtTFGqBQB7oAjc", parts.pack({"a": [1, "aa"]})]
)
def test_what_is_damaged_is_no_seal(text: str) -> None:
    with pytest.raises(Unverified):
        parts.read_known(text)


def test_parts_that_do_not_add_up_prove_nothing() -> None:
    sealed = Sealed(streams={"a": Stream(1, HASH)}, chunks={"a": []})
    lies = Part(1, "0" * 64, 0, {}, ())
    with pytest.raises(Unverified, match="add up"):
        proof(sealed, [(sealed.streams, lies)], Rejected())
    with pytest.raises(Unverified, match="not all"):
        proof(sealed, [], Rejected())
