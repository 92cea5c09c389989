"""What of an audit is told to whoever listens: metrics, and an alert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from gymops.backup.audit import Audit
from gymops.backup.findings import Finding, Kind, day

NAMESPACE = "gymops/Backup"
_LINES = 30
"""Findings that an alert lists; a text message is cut anyway."""
FRESH = timedelta(hours=50)
"""What happened is told by the audits of two days; what is so is told until it is no more."""
_HAPPENED = frozenset({Kind.MISSING, Kind.LATE, Kind.FAILED, Kind.SKIPPED, Kind.SMALL, Kind.UNCOPIED})


def metrics(audit: Audit) -> Iterator[tuple[str, float, str]]:
    """Name, value, unit."""
    yield "Findings", float(len(audit.findings)), "Count"
    if audit.success_rate is not None:
        yield "SuccessRate", audit.success_rate * 100, "Percent"
    if audit.newest is not None:
        yield "NewestAge", (audit.at - audit.newest).total_seconds(), "Seconds"
    trials = [one.tested for one in audit.standings if one.tested]
    for name, seconds in (
        ("RestoreTestRto", [one.rto_seconds for one in trials]),
        ("RestoreTestRpo", [one.rpo_seconds for one in trials]),
    ):
        known = [one for one in seconds if one is not None]
        if known:
            yield name, max(known), "Seconds"


def dimensions(audit: Audit) -> Mapping[str, str]:
    """Whose metrics."""
    return {"Environment": audit.environment}


def alert(audit: Audit) -> tuple[str, str] | None:
    """A subject and a text; None: nothing is new."""
    new = [one for one in audit.findings if one.kind not in _HAPPENED or audit.at - one.when < FRESH]
    if not new:
        return None
    count = len(new)
    subject = f"{audit.environment}: {count} finding{'' if count == 1 else 's'} in its backups"
    lines = [line for one in new[:_LINES] for line in _lines(one)]
    more = [f"and {count - _LINES} more"] if count > _LINES else []
    return subject, "\n".join([*lines, *more, f"all of them: gymops audit {audit.environment}"])


def _lines(one: Finding) -> Iterator[str]:
    yield f"{one.kind.value}: {one.tier + ', ' if one.tier else ''}{day(one.when)}: {one.what}"
    yield f"  {one.next}"
