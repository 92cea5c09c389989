"""The benchmark of backups runs, reports what it measured, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import backup
from tests.benchmarks.backup import COPY, CP, HASHED, READY, TAKEN, TESTED, VERIFIED, WHOLE


def test_the_report_gives_ratios_phases_and_whether_each_goal_was_met() -> None:
    told = backup.report(
        {CP: [2.0, 3.0, 1.0], WHOLE: [2.0], TAKEN: [1.5], VERIFIED: [0.5], READY: [2.5], TESTED: [6.0],
         COPY: [1.0], HASHED: [1.25]},
        {"backup": [{"seal": 0.1, "copy": 1.0}], "digest": [{}]},
        {"backup": 54_000_000},
        "1,000 MB;",
        10.0,
    )  # fmt: skip
    assert f"| {CP} | 2000 | 1000-3000 | 1.00 |" in told
    assert f"| {TESTED} | 6000 | 6000-6000 | 3.00 |" in told
    assert f"- met: at most 0.8 x cp: {TAKEN[2:]} (0.75 x)" in told
    assert f"- met: at most 0.35 x cp: {VERIFIED[2:]} (0.25 x)" in told
    assert f"- NOT met: at most 1.0 x cp: {READY} (1.25 x)" in told
    assert f"- NOT met: at most 1.2 x {COPY} (1.25 x)" in told
    assert "- backup: seal 0.10, copy 1.00" in told
    assert "- digest" not in told
    assert "backup 54 MB" in told


@pytest.mark.long
def test_a_run_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert backup.main(["--events", "12000", "--runs", "1", "--folder", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    for name in (CP, WHOLE, TAKEN, VERIFIED, READY, TESTED, COPY, HASHED):
        assert f"| {name} | " in told
    assert "- restore-test: plan " in told
    assert list(tmp_path.iterdir()) == []
