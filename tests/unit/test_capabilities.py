"""docs/architectures.md says what tests show, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from gymops.deploy.template import names
from tests import capabilities
from tests.capabilities import Collector, Test

ONE = Test("tests/a/test_one.py", "test_one", long=True)
TWO = Test("tests/b/test_two.py", "test_two", long=False)


def test_the_tables_are_those_of_the_tests() -> None:
    """In a process of its own: a pytest does not collect in another."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.capabilities", "--print"], cwd=capabilities.ROOT, env=environ,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = capabilities.PAGE.read_text(encoding="utf-8")
    assert done.stdout == text, "docs/architectures.md is out of date: make tables"


def test_a_cell_has_its_tests_or_says_that_there_is_none() -> None:
    found = {("titan-trakr", "stacks"): [ONE, TWO], ("titan-trakr", "cost"): [TWO]}
    rows = {row.split("]")[0]: row for row in capabilities.cells(found).splitlines() if row.startswith("| [")}
    assert len(rows) == len(names())
    assert rows["| [titan-trakr"].split(" | ")[1:] == ["[1], [2]", *["not yet"] * 6, "[2]", "not yet |"]
    assert "| none |" in rows["| [lifestyle-phased"]
    lines = capabilities.tests(found).splitlines()
    assert lines[2:4] == [
        "| 1 | [`tests/a/test_one.py::test_one`][1] | `make test-long` |",
        "| 2 | [`tests/b/test_two.py::test_two`][2] | `make test` |",
    ]
    assert lines[-1] == '[2]: ../tests/b/test_two.py "test_two"'


def test_what_is_shown_in_another_way_has_its_note() -> None:
    name, what = next(iter(capabilities.APART))
    lines = capabilities.cells({(name, what): [ONE]}).splitlines()
    row = next(line for line in lines if line.startswith(f"| [{name}]"))
    assert r"| [1]\* |" in row
    assert any(line.startswith(rf"- \* {what} of {name}: by a dump through a tunnel") for line in lines)


def test_what_is_said_to_be_absent_is_shown_by_no_test() -> None:
    absent = next(iter(capabilities.ABSENT))
    with pytest.raises(ValueError, match="said to be absent"):
        capabilities.cells({absent: [ONE]})


@pytest.mark.parametrize("marked", [("titan", "deploy"), ("titan-trakr", "fly")])
def test_a_mark_of_something_else_is_refused(marked: tuple[str, ...]) -> None:
    item: Any = SimpleNamespace(
        path=capabilities.ROOT / ONE.path, name="test_one[a]", nodeid=ONE.path,
        get_closest_marker=lambda _: None, iter_markers=lambda _: [SimpleNamespace(args=marked)],
    )  # fmt: skip
    with pytest.raises(ValueError, match=marked[1]):
        Collector().pytest_itemcollected(item)
