"""The benchmark of the start runs, and says whether its goal was met."""

from __future__ import annotations

import pytest

from tests.benchmarks import startup


def _measured(gymops: float) -> dict[str, list[float]]:
    return {startup.CLICK: [0.04, 0.06, 0.05], startup.GYMOPS: [gymops, gymops, 9.0]}


def test_the_report_gives_medians_ranges_and_the_ratio() -> None:
    report = startup.report(_measured(0.07), load=0.0)
    assert '| python -c "import click" | 50 | 40-60 | 1.00 |' in report
    assert "| gymops --help | 70 | 70-9000 | 1.40 |" in report
    assert '- met: at most 1.5 x python -c "import click" (1.40 x)' in report
    assert "do not trust" not in report


def test_a_goal_that_was_missed_and_a_busy_machine_are_told() -> None:
    report = startup.report(_measured(0.08), load=3.0)
    assert "- NOT met: at most 1.5 x" in report
    assert (
        "Load average before: 3.0 (the machine was busy with something else: do not trust these)." in report
    )


def test_a_run_from_end_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert startup.main(["--runs", "1"]) == 0
    assert "| gymops deploy --help |" in capsys.readouterr().out
