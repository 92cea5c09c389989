"""What a migration did and proved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gymops.eventlog.compare import Difference
from gymops.eventlog.digest import LogDigest
from gymops.migrate.plan import Plan


@dataclass(frozen=True)
class TableResult:
    """A table beside the events, after the run."""

    source: int
    written: int
    rejected: int
    verified: bool

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Proof:
    """Both digests, and what was compared beside them."""

    source: LogDigest
    target: LogDigest
    tables: dict[str, bool]
    first_difference: Difference | str | None

    @property
    def equal(self) -> bool:
        return (
            self.source.head == self.target.head
            and self.source.rejected == self.target.rejected
            and all(self.tables.values())
            and self.first_difference is None
        )


@dataclass(frozen=True)
class Seconds:
    """How long each part took. No second counts twice: together they are at most the total."""

    plan: float
    copy: float
    index: float
    """Building indexes, without the time in which some of them were built beside the proof."""
    verify: float
    """The whole proof, with what is built beside it."""
    total: float


@dataclass(frozen=True)
class Report:
    """The result of one migration."""

    plan: Plan
    written: int
    tables: dict[str, TableResult]
    proof: Proof
    seconds: Seconds
    peak_rss: int
    """Bytes, of all processes of gymops together."""

    def as_dict(self) -> dict[str, Any]:
        """The document of ``migrate --json``; its keys are stable."""
        copying = self.seconds.copy + self.seconds.index
        return {
            "source": self.plan.source,
            "target": self.plan.target,
            "users": len(self.plan.users),
            "events": {
                "source": self.plan.events,
                "written": self.written,
                "already_there": self.plan.already_there,
                "rejected": self.plan.rejected_events,
            },
            "tables": {name: table.as_dict() for name, table in self.tables.items()},
            "digest": {"source": self.proof.source.head, "target": self.proof.target.head},
            "verified": self.proof.equal,
            "seconds": {name: round(value, 3) for name, value in vars(self.seconds).items()},
            "events_per_second": round(self.written / copying) if self.written and copying else 0,
            "peak_rss_mb": round(self.peak_rss / 1e6, 1),
            "rejected_digest": self.proof.source.rejected.digest,
            "notes": self.plan.notes,
            "unknown_tables": list(self.plan.unknown_tables),
            "unknown_columns": list(self.plan.unknown_columns),
            "ignored": list(self.plan.ignored),
        }
