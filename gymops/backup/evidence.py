"""What there is of an environment's backups, whoever takes them: what the audit judges by."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from gymops.backup.port import Listing
from gymops.backup.tiers import DEFAULT, Tier

TEST_EVERY = timedelta(days=35)
"""A restore-test each month, and some days to notice that it did not pass."""


class State(StrEnum):
    """How far a job is."""

    DONE = "done"
    RUNNING = "running"
    FAILED = "failed"
    SKIPPED = "skipped"
    """There was nothing to back up from: the database was stopped."""
    UNSEALED = "not sealed"
    """The bytes were taken, and the log was damaged: it is no good backup."""


class Result(StrEnum):
    """How a restore-test ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNVERIFIED = "could not verify"


@dataclass(frozen=True)
class Job:
    """One attempt to take a backup, or to copy it."""

    tier: str
    began: datetime
    state: State
    ended: datetime | None = None
    point: str | None = None
    """What it made, as it is listed."""
    size: int | None = None
    message: str = ""
    copy: bool = False


@dataclass(frozen=True)
class Trial:
    """One restore-test."""

    began: datetime
    result: Result
    tier: str | None
    """None: the latest time that could be restored."""
    point: str | None = None
    """The recovery point it began with."""
    rpo_seconds: float | None = None
    rto_seconds: float | None = None
    events: int | None = None
    """How many came back."""
    digest: str | None = None
    """What they were held to, and were equal to if it passed."""
    message: str = ""


@dataclass(frozen=True)
class Stopped:
    """A time in which the database was stopped on purpose; still, if it has no end."""

    since: datetime
    until: datetime | None = None

    def at(self, moment: datetime) -> bool:
        """Whether it was stopped then."""
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class Damaged:
    """The log is damaged: what was taken since is no good backup."""

    since: datetime
    """When it was seen first."""
    message: str
    next: str
    """The command that brings back the last moment in which all was well."""


class Gap(StrEnum):
    """What a table or a bucket lacks."""

    BACKUP = "backup"
    """The newest recovery point does not have it, or there is nothing that takes any of it."""
    TIMES = "times"
    """No time in between can be restored: point-in-time recovery is off."""
    VERSIONS = "versions"
    """What is overwritten or deleted is gone: versioning is off."""


@dataclass(frozen=True)
class Lacking:
    """A table or a bucket of which something is not kept."""

    name: str
    gap: Gap


@dataclass(frozen=True)
class Evidence:
    """What was found, by asking everywhere; nothing in it is a verdict."""

    environment: str
    listing: Listing
    jobs: tuple[Job, ...] = ()
    jobs_since: datetime | None = None
    """Jobs are known from here on; None: all of them are."""
    tests: tuple[Trial, ...] = ()
    tests_known: bool = True
    """False: there may be others, whose records cannot be read from here; then none is missed."""
    stopped: tuple[Stopped, ...] = ()
    no_bytes: tuple[str, ...] = ()
    """Entries of the catalogue whose bytes are gone or too few."""
    no_entry: tuple[str, ...] = ()
    """Bytes that no entry names, older than anybody needs to write one."""
    seals: str | None = None
    """What is wrong with the chain of seals."""
    damaged: Damaged | None = None
    put_back: datetime | None = None
    """When a restored database took its place, if it was not copied whole since."""
    began: datetime | None = None
    """Since when there should be backups; None: since the oldest there is a trace of."""
    unseen: tuple[str, ...] = ()
    """Where nobody could look, and why, beside what the listing says."""
    lacking: tuple[Lacking, ...] = ()
    """Of tables and buckets; a database has no parts."""


@dataclass(frozen=True)
class Expected:
    """What there should be."""

    tiers: tuple[Tier, ...] = DEFAULT
    locked: bool = False
    """Whether a vault must keep its points from being deleted."""
    off_hours: bool = False
    """Whether the database is stopped by a schedule: that it is, is nothing to find."""
    test_every: timedelta = field(default=TEST_EVERY)
