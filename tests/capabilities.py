"""Write the tables of docs/architectures.md: ``make tables``.

What can be done with an architecture is what a test shows: ``@pytest.mark.shows("titan-trakr", "deploy")``.
Of a test for every one of them, ``shows("each", ...)``, the architecture is the parameter that names one.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gymops.deploy.template import names
from tests import generated

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architectures.md"
CAPABILITIES = (
    "stacks", "deploy", "promote", "rollback", "backup", "restore-test", "audit", "cost", "data",
)  # fmt: skip
ABSENT: Mapping[tuple[str, str], str] = {
    ("lifestyle-phased", "data"): "its document begins with DynamoDB: there is no file from before to move",
}
"""What no test shows, and why."""
APART: Mapping[tuple[str, str], str] = {
    ("productivity-fargate", "restore-test"): "by a dump through a tunnel, on a server of one's own; RDS is"
    " restored too, and as nothing of gymops runs there, what is in it could not be verified",
}
"""What is shown in another way than of the others."""

Shown = dict[tuple[str, str], list["Test"]]
"""(architecture, capability) -> the tests that show it, in the order of their files."""


@dataclass(frozen=True, order=True)
class Test:
    """A test, whatever its parameters."""

    __test__ = False

    path: str
    name: str
    long: bool


@dataclass(eq=False)
class Collector:
    """What pytest's collection finds marked."""

    found: Shown = field(default_factory=dict)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        path = item.path.relative_to(ROOT).as_posix()
        one = Test(path, item.name.partition("[")[0], item.get_closest_marker("long") is not None)
        for architecture, capability in _shows(item):
            tests = self.found.setdefault((architecture, capability), [])
            if one not in tests:
                tests.append(one)


def shown() -> Shown:
    """Of every marked test, what it shows."""
    files = [
        str(path) for path in (ROOT / "tests").rglob("test_*.py") if "mark.shows(" in path.read_text("utf-8")
    ]
    collector, said = Collector(), io.StringIO()
    with contextlib.redirect_stdout(said):
        code = pytest.main(
            ["--collect-only", "-q", "-m", "", "-p", "no:cacheprovider", *sorted(files)], plugins=[collector]
        )
    if code != pytest.ExitCode.OK:
        raise ValueError(said.getvalue())
    return {cell: sorted(tests) for cell, tests in collector.found.items()}


def _shows(item: pytest.Item) -> Iterator[tuple[str, str]]:
    for mark in item.iter_markers("shows"):
        architecture, *capabilities = mark.args
        if architecture == "each":
            parameters: Mapping[str, Any] = getattr(item, "callspec").params  # noqa: B009 - of functions only
            architecture = next(value for value in parameters.values() if value in names())
        if architecture not in names() or not set(capabilities) <= set(CAPABILITIES):
            raise ValueError(f"{item.nodeid}: {mark.args}")
        yield from ((architecture, capability) for capability in capabilities)


def cells(found: Shown) -> str:
    """Architecture by capability; a number is a test of the list."""
    numbers = {one: number for number, one in enumerate(_tests(found), 1)}
    rows = [f"| | {' | '.join(CAPABILITIES)} |", "|---" * (len(CAPABILITIES) + 1) + "|"]
    for name in names():
        row = [_cell((name, what), found, numbers) for what in CAPABILITIES]
        rows.append(f"| [{name}](architectures/{name}.md) | {' | '.join(row)} |")
    why = [f"- No {what} of {name}: {reason}." for (name, what), reason in ABSENT.items() if name in names()]
    why += [f"- \\* {what} of {name}: {way}." for (name, what), way in APART.items() if name in names()]
    return "\n".join([*rows, "", *why] if why else rows)


def tests(found: Shown) -> str:
    """The tests by their number, and what runs them."""
    rows = ["| | test | run by |", "|---|---|---|"]
    for number, one in enumerate(_tests(found), 1):
        by = "make test-long" if one.long else "make test"
        rows.append(f"| {number} | [`{one.path}::{one.name}`][{number}] | `{by}` |")
    links = [f'[{number}]: ../{one.path} "{one.name}"' for number, one in enumerate(_tests(found), 1)]
    return "\n".join([*rows, "", *links])


def _cell(cell: tuple[str, str], found: Shown, numbers: Mapping[Test, int]) -> str:
    if cell in ABSENT:
        if cell in found:
            raise ValueError(f"{cell}: said to be absent, and shown by {found[cell]}")
        return "none"
    marked = r"\*" if cell in APART and cell in found else ""
    return ", ".join(f"[{numbers[one]}]{marked}" for one in found.get(cell, [])) or "not yet"


def _tests(found: Shown) -> list[Test]:
    return sorted({one for tests in found.values() for one in tests})


def written(text: str, found: Shown) -> str:
    """The page with its tables as they are now."""
    return generated.written(text, {"capabilities": cells(found), "tests": tests(found)})


if __name__ == "__main__":
    page = written(PAGE.read_text(encoding="utf-8"), shown())
    if sys.argv[1:] == ["--print"]:
        print(page, end="")
    else:
        PAGE.write_text(page, encoding="utf-8")
