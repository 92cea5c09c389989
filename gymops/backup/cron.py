"""The schedules of an environment as lines of a crontab."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from gymops.backup.tiers import Tier
from gymops.backup.worker import AUDIT, RESTORE_TEST


def lines(environment: str, tiers: Sequence[Tier], folder: Path, program: str) -> Iterator[str]:
    """A header, and a line for each tier, the audit and the restore-test.

    ``program`` has a full path: cron knows no other.
    """
    there = f"cd {shlex.quote(str(folder))} && {shlex.quote(program)}"
    yield f"# The backups of {environment}. The times are UTC: where cron does not know CRON_TZ, shift them."
    yield "CRON_TZ=UTC"
    for tier in tiers:
        when = tier.schedule.cron if tier.schedule else _every(tier)
        yield f"{when} {there} backup {environment} --tier {tier.name}"
    yield f"{AUDIT.cron} {there} audit {environment} --json > audit-{environment}.json"
    yield f"{RESTORE_TEST.cron} {there} restore-test {environment} --all"


def _every(tier: Tier) -> str:
    """Twice as often as may be lost, each minute at the most."""
    minutes = int(tier.rpo.total_seconds() // 120) if tier.rpo else 5
    return f"*/{min(max(minutes, 1), 30)} * * * *"
