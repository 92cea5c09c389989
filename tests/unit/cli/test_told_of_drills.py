"""What CloudWatch is told of a drill: a fault that was not found is a restore-test that did not pass."""

from __future__ import annotations

from typing import Any, cast

import pytest

from gymops.aws import notices
from gymops.aws.account import Account
from gymops.backup.evidence import Result
from gymops.backup.restore_test import UNSPOILED, Counts, Digests, Goal
from gymops.backup.restore_test import Tested as Verdict
from gymops.cli.restore_managed import _publish
from tests.unit.clocks import START

FAULT = "changed-row: user 'ann', position 3"


@pytest.mark.parametrize(
    ("drill", "result", "told"),
    [
        (FAULT, Result.PASSED, 0.0),
        (FAULT, Result.FAILED, None),
        (UNSPOILED, Result.UNVERIFIED, None),
        (None, Result.PASSED, 1.0),
        (None, Result.FAILED, 0.0),
    ],
)
def test_a_drill_that_passes_is_an_alarm_and_one_that_fails_is_nothing(
    monkeypatch: pytest.MonkeyPatch, drill: str | None, result: Result, told: float | None
) -> None:
    put: dict[str, float] = {}

    class Metrics:
        def __init__(self, *_: Any) -> None:
            """Nobody is asked."""

        def put(self, found: list[tuple[str, float, str]], *_: Any) -> None:
            put.update({name: value for name, value, _unit in found})

    monkeypatch.setattr(notices, "Metrics", Metrics)
    tested = Verdict(
        "x", "prod", result, "daily", "point", START, 1, Counts(3, 3), Digests("d", "d"), 0, 1.0, 1.0, {},
        Goal("daily"), START, START, drill=drill,
    )  # fmt: skip
    _publish(cast("Account", None), tested, stopped=False)
    assert put.get("RestoreTestPassed") == told
