"""Lines of a crontab for who runs no worker."""

from __future__ import annotations

from pathlib import Path

from gymops.backup.cron import lines
from gymops.backup.tiers import DEFAULT


def test_a_line_for_each_tier_the_audit_and_the_restore_test() -> None:
    found = list(lines("local", DEFAULT, Path("/srv/my app"), "/opt/gymops"))
    there = "cd '/srv/my app' && /opt/gymops"
    assert found[1:] == [
        "CRON_TZ=UTC",
        f"*/2 * * * * {there} backup local --tier continuous",
        f"0 3 * * * {there} backup local --tier daily",
        f"0 4 * * 0 {there} backup local --tier weekly",
        f"0 5 1 * * {there} backup local --tier monthly",
        f"30 8 * * * {there} audit local --json > audit-local.json",
        f"0 13 2 * * {there} restore-test local --all",
    ]
