"""What a table held around its backup: a bad backup is never taken for good, nor a good one for bad."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gymops.backup.items.content import Content, fingerprint, hold, key, load
from tests.contract.strategies import FEW

_STATES = st.sampled_from([None, "a", "b", "c"])
_KEYS = st.sampled_from("kl")
_HISTORY = st.lists(_STATES, min_size=1, max_size=4)
"""What an item is, one after the other, from the look before the backup to the one after it."""


@given(st.data(), st.dictionaries(_KEYS, _HISTORY, min_size=1), st.dictionaries(_KEYS, _STATES))
@FEW
def test_random_writes_around_a_backup(data: st.DataObject, histories: Any, restored: Any) -> None:
    before = {name: row[0] for name, row in histories.items() if row[0]}
    after = {name: row[-1] for name, row in histories.items() if row[-1]}
    content = load(Content.of(before, after).lines())
    assert content == Content.of(before, after)

    # A good backup has each item as it was at some time.
    taken = {name: data.draw(st.sampled_from(row)) for name, row in histories.items()}
    held = hold(content, {name: one for name, one in taken.items() if one})
    for name in (*held.missing, *held.changed):
        row = histories[name]
        assert row[0] == row[-1] != taken[name], "but where it was put back to what it was"

    # Anything else is no good backup, and never passes.
    found = {name: one for name, one in restored.items() if one}
    held = hold(content, found)
    if not (held.missing or held.changed or held.unclear):
        assert (held.restored, held.digest) == (held.expected, content.digest)
        for name in histories.keys() | found.keys():
            assert found.get(name) in histories.get(name, [None])


@pytest.mark.parametrize(
    ("found", "missing", "changed", "unclear"),
    [
        ({"k": "1", "l": "1"}, (), (), ()),
        ({"k": "1", "l": "2"}, (), (), ()),
        ({"l": "1"}, ("k",), (), ()),
        ({"k": "2", "l": "1"}, (), ("k",), ()),
        ({"k": "1"}, (), (), ("l",)),
        ({"k": "1", "l": "3"}, (), (), ("l",)),
        ({"k": "1", "l": "1", "m": "1"}, (), (), ("m",)),
    ],
)
def test_what_is_steady_must_be_back_and_what_moves_may_be_either(
    found: dict[str, str], missing: tuple[str, ...], changed: tuple[str, ...], unclear: tuple[str, ...]
) -> None:
    content = Content.of({"k": "1", "l": "1"}, {"k": "1", "l": "2"})
    held = hold(content, found)
    assert (held.missing, held.changed, held.unclear) == (missing, changed, unclear)
    assert (held.expected, held.restored) == (1, 1 - len(missing) - len(changed))
    assert (held.digest == content.digest) == (held.restored == 1)


def test_an_item_is_its_attributes_their_types_and_values() -> None:
    item: dict[str, Any] = {
        "id": {"S": "é"},
        "n": {"N": "1"},
        "b": {"B": b"\0"},
        "m": {"M": {"x": {"L": [{"NULL": True}]}}},
    }
    assert key(item, ["id"]) == '{"id":{"S":"é"}}'
    assert key(item, ["id", "b"]) == '{"id":{"S":"é"},"b":{"B":"AA=="}}'
    same = dict(reversed(item.items()))
    assert fingerprint(same) == fingerprint(item)
    others: list[dict[str, Any]] = [
        {**item, "n": {"S": "1"}}, {**item, "n": {"N": "2"}}, {**item, "more": {"S": ""}},
        {**item, "m": {"M": {"x": {"L": [{"NULL": True}, {"NULL": True}]}}}},
    ]  # fmt: skip
    assert len({fingerprint(one) for one in [item, *others]}) == 5


def test_a_set_has_no_order_and_a_list_has() -> None:
    assert fingerprint({"s": {"SS": ["a", "b"]}}) == fingerprint({"s": {"SS": ["b", "a"]}})
    assert fingerprint({"s": {"BS": [b"a", b"b"]}}) == fingerprint({"s": {"BS": [b"b", b"a"]}})
    one, other = {"l": {"L": [{"S": "a"}, {"S": "b"}]}}, {"l": {"L": [{"S": "b"}, {"S": "a"}]}}
    assert fingerprint(one) != fingerprint(other)
