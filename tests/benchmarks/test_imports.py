"""The benchmark of imports runs, and says whether its goal was met."""

from __future__ import annotations

import pytest

from tests.benchmarks import imports


def _measured(handler: float) -> dict[str, list[float]]:
    return {imports.LIBRARIES: [0.1, 0.3, 0.2], imports.HANDLER: [handler, handler, 9.0]}


def test_the_report_gives_medians_ranges_and_the_ratio() -> None:
    report = imports.report(_measured(0.28), load=0.0)
    assert "| fastapi and psycopg alone | 200 | 100-300 | 1.00 |" in report
    assert "| the handler | 280 | 280-9000 | 1.40 |" in report
    assert "- met: at most 1.5 x fastapi and psycopg alone (1.40 x)" in report


def test_a_goal_that_was_missed_is_told() -> None:
    assert "- NOT met: at most 1.5 x" in imports.report(_measured(0.31), load=0.0)


@pytest.mark.long
def test_a_run_from_end_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert imports.main(["--runs", "1"]) == 0
    assert "| the handler, and the app built |" in capsys.readouterr().out
