"""docs/local-aws.md says what the code does."""

from __future__ import annotations

from gymops.deploy.template import names
from tests import local_page


def test_the_tables_are_those_of_the_code() -> None:
    text = local_page.PAGE.read_text(encoding="utf-8")
    assert local_page.written(text) == text, "docs/local-aws.md is out of date: make tables"


def test_every_type_is_there_once_with_its_architectures() -> None:
    rows = [line for line in local_page.types().splitlines() if line.startswith("| `")]
    assert len({row.split("`")[1] for row in rows}) == len(rows)
    real = next(row for row in rows if "`AWS::RDS::DBInstance`" in row)
    ours = next(row for row in rows if "`AWS::EC2::NatGateway`" in row)
    assert (real.endswith("| real |  |"), ours.endswith("| emulated | yes |")) == (True, True)
    assert {name for row in rows for name in row.split(" | ")[1].split(", ")} == set(names())
