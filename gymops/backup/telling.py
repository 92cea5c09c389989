"""What of an audit is told to whoever listens: metrics, and an alert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gymops.backup.audit import Audit
from gymops.backup.evidence import Result, Trial
from gymops.backup.findings import Finding, Kind, day

NAMESPACE = "gymops/Backup"
_LINES = 30
"""Findings that an alert lists; a text message is cut anyway."""
FRESH = timedelta(hours=50)
"""What happened is told by the audits of two days; what is so is told until it is no more."""
_TARGETS = frozenset({Kind.RPO, Kind.RTO})
_HAPPENED = frozenset({Kind.MISSING, Kind.LATE, Kind.FAILED, Kind.SKIPPED, Kind.SMALL, Kind.UNCOPIED})


def metrics(audit: Audit) -> Iterator[tuple[str, float, str]]:
    """Name, value, unit."""
    yield "Findings", float(len(audit.findings)), "Count"
    if audit.success_rate is not None:
        yield "SuccessRate", audit.success_rate * 100, "Percent"
    if audit.newest is not None:
        yield "NewestAge", (audit.at - audit.newest).total_seconds(), "Seconds"
    tested = [(one.tier.name, one.tested) for one in audit.standings if one.tested]
    yield from restore_tests([_told(audit, tier, trial) for tier, trial in tested])


@dataclass(frozen=True)
class Told:
    """A restore-test, as far as metrics go."""

    passed: bool
    rpo: float | None
    rto: float | None
    missed: int
    """Of its two targets."""

    @staticmethod
    def of(trial: Trial, rpo: float | None, rto: float | None) -> Told:
        """A restore-test of a tier with these targets, in seconds."""
        held = ((trial.rpo_seconds, rpo), (trial.rto_seconds, rto))
        missed = sum(took is not None and most is not None and took > most for took, most in held)
        return Told(trial.result is Result.PASSED, trial.rpo_seconds, trial.rto_seconds, missed)


def restore_tests(told: Sequence[Told]) -> Iterator[tuple[str, float, str]]:
    """The worst of some restore-tests; of none, nothing. What could not be verified did not pass."""
    if not told:
        return
    yield "RestoreTestPassed", float(all(one.passed for one in told)), "Count"
    yield "RestoreTestMissed", float(sum(one.missed for one in told)), "Count"
    for name, seconds in (
        ("RestoreTestRto", [one.rto for one in told if one.rto is not None]),
        ("RestoreTestRpo", [one.rpo for one in told if one.rpo is not None]),
    ):
        if seconds:
            yield name, max(seconds), "Seconds"


def _told(audit: Audit, tier: str, trial: Trial) -> Told:
    """A tier's newest restore-test: of its targets, what is a finding was missed."""
    missed = sum(
        one.kind in _TARGETS and (one.tier, one.when) == (tier, trial.began) for one in audit.findings
    )
    return Told(trial.result is Result.PASSED, trial.rpo_seconds, trial.rto_seconds, missed)


def dimensions(environment: str) -> Mapping[str, str]:
    """Whose metrics."""
    return {"Environment": environment}


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
