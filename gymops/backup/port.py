"""What the verbs need of an environment's backups, whatever takes them: a server of ours, RDS, AWS Backup.

``restore`` and ``restore-test`` go: ``clear`` what a killed test left, ``plan``, show the plan, ``restore``,
``prove``; a test then drops what it made. Every step can be gone on with: what is made has a name that
follows from the plan's id, and is found again by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from gymops.backup.recovery_point import SealedAt
from gymops.errors import GymopsError

if TYPE_CHECKING:
    from gymops.eventlog.proof import Proof

Tell = Callable[[str, str], None]
"""Told the phase (``seal``, ``copy``, ``restore``, ``settings``, ``prove``, ``drop``, ...) and how far it is,
in words. A phase ends where another is told, so who times them needs nothing else.
"""


def untold(_phase: str, _how_far: str) -> None:
    """Progress nobody looks at."""


class OutOfReach(GymopsError):
    """The time asked for cannot be restored; ``nearest`` is the one that can."""

    exit_code = 4
    code = "out_of_reach"

    def __init__(self, message: str, *, nearest: datetime | None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.nearest = nearest


@dataclass(frozen=True)
class Point:
    """A recovery point, as it is listed."""

    id: str
    """What ``--from`` takes."""
    kind: str
    """``base`` or ``dump``; of AWS ``snapshot``, ``automated``, ``aws-backup``, ``copy``."""
    tier: str | None
    """None: it was not taken for one, as RDS's own and those before a release."""
    taken: datetime
    """A restore of it alone holds what was committed by then."""
    size: int | None
    """Bytes as they are stored, or as AWS tells; None if nobody says."""
    encrypted: bool
    locked: bool
    """Whether something keeps it from being deleted."""
    where: str
    """A folder, a bucket; ``REGION``, ``REGION/VAULT``."""
    ready: bool
    """Whether it can be restored now."""
    keep_until: datetime | None = None
    seal: SealedAt | None = None
    """What a restore of it must bring back at the least; None: nothing was sealed before it."""
    verified: datetime | None = None
    """When a restore-test of it last passed."""
    damaged: str | None = None
    """How the log was damaged when it was taken; it is no good one then."""


@dataclass(frozen=True)
class Window:
    """Any time between these can be restored."""

    source: str
    """Of which server: an instance, a database system."""
    id: str
    """Its own for good, also after another got its name."""
    earliest: datetime
    latest: datetime
    gone: bool = False
    """Whether it is the environment's no longer, and its backups were kept."""
    aside: bool = False
    """Whether it is there, and a restored one has its place; else one that is gone was deleted."""


@dataclass(frozen=True)
class Listing:
    """Everything that can be restored."""

    points: tuple[Point, ...]
    """The oldest first."""
    windows: tuple[Window, ...]
    """The environment's own first."""
    silent: Mapping[str, str] = field(default_factory=dict)
    """Where nobody could look, and why: a region that does not answer, a vault that denies it."""


@dataclass(frozen=True)
class Wanted:
    """What to restore: a time, a point, the newest point of a tier; nothing of these: the latest time."""

    at: datetime | None = None
    point: str | None = None
    tier: str | None = None
    to: str | None = None
    """The name of what is made; None: one that follows from the id."""
    test: bool = False
    """Isolated, marked as a test, and deleted by ``clear`` if nobody else does."""


@dataclass(frozen=True)
class RestorePlan:
    """What a restore would do."""

    id: str
    environment: str
    source: str
    """Of which server."""
    point: str | None
    """The recovery point it begins with; None: the server's continuous backups."""
    at: datetime | None
    """Up to when; None: the point as it is."""
    to: str
    """The name of what is made: an instance, a folder. Never one that is there already."""
    seal: SealedAt | None
    """What must come back; None: nothing was sealed by then, and nothing can be proved."""
    last_seconds: float | None
    """How long the last restore of this kind took until it could be read."""
    lost_since: datetime
    """Whatever was committed after this is not in it."""
    lost_events: int | None
    """How many events were sealed after what comes back; None: nobody knows."""
    test: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    """With what it is made, for people to read."""


@dataclass(frozen=True)
class Restored:
    """A database that was brought back."""

    name: str
    """``RestorePlan.to``."""
    host: str
    """A name, an address, or the folder of a socket."""
    port: int
    url: str | None
    """How to connect, without a password; None: nobody outside of its network can."""


class Backups(Protocol):
    """The backups of one environment.

    Laws: nothing here touches a running database but by ``take`` and ``seal``, which only read. What is
    unknown (no answer, credentials that expired) is an error whose ``unknown`` is true, never a verdict.
    """

    def listing(self) -> Listing:
        """Everything that can be restored; nothing is changed.

        Raises:
            GymopsError: nobody can look, at the environment's own place.
        """
        ...

    def seal(self, tell: Tell = untold) -> SealedAt | None:
        """Record what the log holds now, if it grew; the newest seal. None: there is no log of ours.

        Raises:
            LogDamaged: the log is not what was sealed of it, or cannot be read.
        """
        ...

    def take(self, tier: str, tell: Tell = untold) -> Point:
        """Seal, back up for a tier, and copy where the tier says so; waited for until it can be restored. Of
        a log that is damaged nothing is sealed, and what is taken says so.

        Raises:
            ConfigError: there is no such tier.
            GymopsError: it failed; what is there of it is not listed as ready.
        """
        ...

    def plan(self, wanted: Wanted) -> RestorePlan:
        """What would be done; nothing is.

        Raises:
            OutOfReach: the time is not covered; it says which is the nearest.
            NoPoint: there is no such point, or none of that tier.
            GateRefused: what it would be restored to is there already.
        """
        ...

    def restore(self, plan: RestorePlan, tell: Tell = untold) -> Restored:
        """Bring it back under its own name; gone on with if it was begun before.

        Raises:
            GymopsError: it failed, or the point went meanwhile.
        """
        ...

    def prove(self, plan: RestorePlan, restored: Restored, tell: Tell = untold) -> Proof:
        """Hold what came back to the seal.

        Raises:
            Unverified: it could not be read, or there is nothing to hold it to.
        """
        ...

    def drop(self, restored: Restored) -> None:
        """Delete what a restore made; what is gone is deleted already.

        Raises:
            GateRefused: it is not one that a restore made.
        """
        ...

    def clear(self, tell: Tell = untold) -> Sequence[str]:
        """Delete what tests left that nobody runs any more; the names."""
        ...
