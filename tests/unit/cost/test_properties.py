"""What holds for every bill, whatever is used."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from gymops.config import Settings
from gymops.cost import usage
from gymops.cost.bill import Bill
from gymops.cost.subject import Subject, choose
from gymops.deploy.template import names

NUMBERS = sorted(usage.numbers())
SIZES = st.integers(0, 10**9).map(Decimal)


@cache
def subject(name: str) -> Subject:
    return choose(Settings(), name)


def bill(name: str, numbers: dict[str, Decimal]) -> Bill:
    return subject(name).bill(usage.profile(name).using(numbers))


@settings(deadline=None, max_examples=8)
@given(
    name=st.sampled_from(names()),
    numbers=st.dictionaries(st.sampled_from(NUMBERS), SIZES),
    more=st.sampled_from(NUMBERS),
    by=SIZES,
)
def test_a_bill_is_the_sum_of_its_lines_and_more_usage_never_costs_less(
    name: str, numbers: dict[str, Decimal], more: str, by: Decimal
) -> None:
    less = bill(name, numbers)
    assert less.total == sum(line.usd for line in less.lines)
    assert less.total == sum(service.usd for service in less.services())
    assert all(line.usd == line.usd.quantize(Decimal("0.01")) >= 0 for line in less.lines)
    document = less.as_dict()
    assert Decimal(document["total"]) == sum(Decimal(line["usd"]) for line in document["lines"])
    greater = bill(name, {**numbers, more: less.profile.usage[more] + by})
    assert greater.total >= less.total
    assert set(greater.unpriced) >= set(less.unpriced)
