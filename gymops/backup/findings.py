"""What an audit finds: its kinds, and how each is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LOOSE = timedelta(days=1)
"""Nothing is let go of by the minute."""


class Kind(StrEnum):
    """What can be wrong."""

    MISSING = "missing"
    LATE = "late"
    FAILED = "failed"
    SKIPPED = "skipped"
    SMALL = "too-small"
    UNENCRYPTED = "unencrypted"
    UNLOCKED = "unlocked"
    UNCOPIED = "not-copied"
    BEYOND = "beyond-retention"
    SHORT = "short-of-retention"
    UNTESTED = "never-tested"
    STALE = "tested-too-long-ago"
    TEST_FAILED = "test-failed"
    UNVERIFIED = "test-could-not-verify"
    RPO = "rpo"
    RTO = "rto"
    NO_BYTES = "entry-without-bytes"
    NO_ENTRY = "bytes-without-entry"
    SEALS = "seals"
    DAMAGED = "log-damaged"
    NO_BASE = "not-backed-up-since-restore"
    UNSEEN = "unseen"
    UNCOVERED = "not-covered"
    NO_TIMES = "no-point-in-time"
    NO_VERSIONS = "no-versions"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be, and what to do."""

    kind: Kind
    tier: str | None
    """None: it is of no tier, or of all."""
    when: datetime
    """What was due then, was taken then, or has been so since."""
    what: str
    next: str
    """The next command."""
    point: str | None = None


def day(moment: datetime) -> str:
    """A time as people read it."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def volume(size: float) -> str:
    """Bytes as people read them: ``812 B``, ``3.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
