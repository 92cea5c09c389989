"""What every place an event log can live has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from gymops.eventlog.digest import LogDigest, Stream
from gymops.eventlog.event import Event

Progress = Callable[[int], None]
"""Told how many events more were read."""


def silent(_: int) -> None:
    """Progress nobody looks at."""


class EventLog(Protocol):
    """An event log that can be read and compared."""

    @property
    def name(self) -> str:
        """What people call it; holds no secret."""
        ...

    def digest(self, progress: Progress = silent) -> LogDigest:
        """Read the whole log and hash it."""
        ...

    def events(self, user_id: str) -> Iterator[Event]:
        """One user's events in order."""
        ...

    def side_streams(self) -> Mapping[str, Stream] | None:
        """The streams of the events' side column by user, of those who have one; None: it keeps none."""
        ...

    def tables(self) -> frozenset[str]:
        """The tables beside the events that this log holds, by their names in the target."""
        ...

    def folded_users(self) -> frozenset[str]:
        """The users whose projections and aggregates an app folds from the events (``tables.DERIVED``)."""
        ...

    def table_rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        """(user_id, key, value) of one table, sorted by bytes (see ``tables.Table.select``)."""
        ...
