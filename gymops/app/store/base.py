"""What the app asks of a store, and the one way an event is appended, whatever lies below."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gymops.errors import GymopsError


@dataclass(frozen=True)
class NewEvent:
    """An event to append: a payload of ``events.new_payload`` and a UUID that the client may have chosen."""

    event_id: str
    event_type: str
    payload: dict[str, Any]


@dataclass(frozen=True)
class LogEvent:
    """An event of the log, as it was written."""

    position: int
    event_id: str
    timestamp: str
    """ISO 8601 in UTC, with microseconds."""
    event_type: str
    payload: Any
    schema_version: int


@dataclass(frozen=True)
class Appended:
    """What became of a new event."""

    event: LogEvent
    repeated: bool
    """It was there already, with this very body."""
    records: list[dict[str, Any]] = field(default_factory=list)
    """Personal records it broke; see ``records.broken``."""


@dataclass(frozen=True)
class Row:
    """A projection as it is stored."""

    data: Any
    updated_at: str


@dataclass(frozen=True)
class Readiness:
    """Whether the app may answer: the schema is one the code works on, and all events are folded."""

    revision: str | None
    expected: str
    lag: int
    """Events that are in the log and not in the projections; counted up to 100,000."""
    problem: str | None = None

    @property
    def ready(self) -> bool:
        return self.problem is None and self.lag == 0


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild found."""

    events: int
    """Events the projections are folded from."""
    changed: dict[str, int]
    """Table -> rows that were not what the log folds to: missing, other or left over."""

    @property
    def equal(self) -> bool:
        return not any(self.changed.values())


Progress = Callable[[int], None]
"""Takes how many more events were folded."""


def silent(_: int) -> None:
    """For those who watch no progress."""


class IdReused(Exception):
    """The event id belongs to another event already."""


class NotReady(GymopsError):
    """The user's projections are being built; nothing was written."""

    code = "not_ready"


class StoreUnavailable(GymopsError):
    """The database cannot be reached or refuses; nothing was written, or the same id tells."""

    code = "store_unavailable"


class Store(Protocol):
    """The log and the projections of every user. Safe to use from several threads."""

    def append(self, user_id: str, events: Sequence[NewEvent]) -> list[Appended]:
        """Check, append and fold, all or none, in one transaction under the user's lock.

        Raises:
            Conflict: an event does not follow from what happened.
            IdReused: an event's id is another event's.
            NotReady: the projections are behind the log.
            StoreUnavailable: the database failed.
        """

    def rows(self, user_id: str, keys: Sequence[str]) -> dict[str, Row]:
        """The projections with these keys, as far as they exist."""

    def listed(self, user_id: str, prefix: str, *, after: str, limit: int) -> list[tuple[str, Row]]:
        """Projections whose key begins so, by key, behind ``after``."""

    def latest(self, user_id: str, prefix: str, *, limit: int) -> list[tuple[str, Row]]:
        """Projections whose key begins so, the last key first."""

    def aggregates(self, user_id: str, period_type: str, *, limit: int) -> list[tuple[str, Row]]:
        """A user's periods of one type, newest first."""

    def exercises(self, user_id: str) -> list[dict[str, Any]]:
        """The user's own exercises: id, name, category, description, is_custom."""

    def events(self, user_id: str, *, after: int, limit: int) -> list[LogEvent]:
        """The user's events behind a position, in order."""

    def find(self, user_id: str, event_ids: Sequence[str]) -> list[LogEvent]:
        """The user's events with these ids, as far as they exist, in order."""

    def users(self) -> Iterator[str]:
        """Every user with a log, in order."""

    def readiness(self) -> Readiness:
        """Whether the app may answer."""

    def build(self, user_id: str, progress: Progress = silent) -> int:
        """Fold what a user's projections lack (all of it where an older release folded); how many events.

        Raises:
            StoreUnavailable: the database failed; what was done is kept, and building again goes on.
        """

    def rebuild(self, user_id: str, progress: Progress = silent) -> Rebuilt:
        """Fold a user's whole log again, compare, and put right what differs; the app may go on writing.

        Raises:
            StoreUnavailable: the database failed; rebuilding again goes on where this one was.
        """

    def close(self) -> None:
        """Let go of the connections."""


def isoformat(moment: datetime) -> str:
    """A time as the log writes it."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def beyond(prefix: str) -> str:
    """The first key behind all those that begin so, in the order of their bytes; prefixes are ASCII."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
