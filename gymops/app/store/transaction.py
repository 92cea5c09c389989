"""One transaction on one user's log: what the fold reads and writes, whatever database lies below.

Rows are read once and written once, at the end. A store supplies the statements.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from gymops.app import domain, events, fold, records
from gymops.app.fold import Key
from gymops.app.records import Logged
from gymops.app.store.base import Appended, IdReused, LogEvent, NewEvent, NotReady

CATCH_UP = 500
"""Events behind which an append folds on its way."""


class Changed(NamedTuple):
    """A row to write, or without data to remove, and the event that changed it last."""

    key: Key
    data: Any
    at: str
    position: int


class Transaction(ABC):
    """The rows of one user as a transaction sees and changes them; a ``fold.View``."""

    def __init__(self) -> None:
        self._rows: dict[Key, Any] = {}
        self._dirty: dict[Key, tuple[str, int]] = {}
        self._sets: dict[str, Logged | None] = {}
        self.at, self.position = "", 0
        """Of the event being folded: what it changes is as old as the event is."""
        self.end = 0
        """The position of the log's last event."""
        self.folded: int | None = None
        """Up to where the rows hold the log; None if they are not of this version of the fold."""

    # What the fold asks for

    def get(self, key: Key) -> Any:
        if key not in self._rows:
            self.fetch([key])
        return self._rows[key]

    def put(self, key: Key, data: Any) -> None:
        self._rows[key] = data
        self._dirty[key] = self.at, self.position

    def logged(self, event_id: str) -> Logged | None:
        if event_id in self._sets:
            return self._sets[event_id]
        return self._find_set(event_id)

    def heaviest(self, exercise_id: str, reps: int) -> Logged | None:
        self._flush_sets()
        return self._find_heaviest(exercise_id, reps)

    def longest(self, exercise_id: str) -> Logged | None:
        self._flush_sets()
        return self._find_longest(exercise_id)

    def put_set(self, one: Logged) -> None:
        self._sets[one.event_id] = one

    def remove_set(self, event_id: str) -> None:
        self._sets[event_id] = None

    # What a transaction does

    def fold(self, event: LogEvent) -> None:
        """Fold one event of the log.

        Raises:
            NotReady: newer code wrote it.
        """
        payload = _read(event)
        self.at, self.position = event.timestamp, event.position
        fold.fold(
            self, fold.Stored(event.position, event.event_id, event.timestamp, event.event_type, payload)
        )

    def catch_up(self, limit: int) -> int:
        """Fold events the rows lack, at most so many; how many it were."""
        behind = self.after(self.folded or 0, limit)
        for event in behind:
            self.fold(event)
        if behind:
            self.flush(behind[-1].position)
        return len(behind)

    def keep_up(self) -> None:
        """Fold the little that another program may have appended.

        Raises:
            NotReady: it is more than a request should wait for, or an older release folded it.
        """
        if self.folded is None or self.end - self.folded > CATCH_UP:
            raise NotReady(
                "the projections are being built from the event log", hint="gymops projections rebuild"
            )
        if self.folded < self.end:
            self.catch_up(CATCH_UP)

    def fetch(self, keys: Iterable[Key]) -> None:
        """Read rows that were not read yet, in one go."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._rows]
        if missing:
            found = self._fetch(missing)
            self._rows.update((key, found.get(key)) for key in missing)

    def flush(self, position: int) -> None:
        """Write what changed, and that events up to this position are folded."""
        self.folded = position
        self._flush_sets()
        changed = [Changed(key, self._rows[key], at, by) for key, (at, by) in self._dirty.items()]
        self._dirty.clear()
        self._write(changed, position)

    def _flush_sets(self) -> None:
        put = [one for one in self._sets.values() if one]
        gone = [event_id for event_id, one in self._sets.items() if one is None]
        self._sets.clear()
        if put or gone:
            self._write_sets(put, gone)

    @abstractmethod
    def find(self, event_id: str) -> LogEvent | None:
        """An event of the user's log by its id."""

    @abstractmethod
    def after(self, position: int, limit: int) -> list[LogEvent]:
        """The user's events behind a position, in order."""

    @abstractmethod
    def insert(self, event: NewEvent, at: str) -> LogEvent:
        """Append an event at the end of the user's log."""

    @abstractmethod
    def _fetch(self, keys: Sequence[Key]) -> dict[Key, Any]: ...

    @abstractmethod
    def _find_set(self, event_id: str) -> Logged | None: ...

    @abstractmethod
    def _find_heaviest(self, exercise_id: str, reps: int) -> Logged | None: ...

    @abstractmethod
    def _find_longest(self, exercise_id: str) -> Logged | None: ...

    @abstractmethod
    def _write(self, rows: list[Changed], position: int) -> None: ...

    @abstractmethod
    def _write_sets(self, put: list[Logged], gone: list[str]) -> None: ...


def append(
    transaction: Transaction, new: Sequence[NewEvent], now: Callable[[], str], *, hasty: bool = False
) -> list[Appended]:
    """Append events and fold them, as ``Store.append`` describes.

    ``hasty`` does not ask whether an event is there already, unless it does not follow from what
    happened: the database refuses a second one, and the store then appends with care.
    """
    transaction.keep_up()
    done = [_append_one(transaction, event, now, hasty) for event in new]
    written = [one.event.position for one in done if not one.repeated]
    if written:
        transaction.flush(written[-1])
    return done


def _append_one(transaction: Transaction, event: NewEvent, now: Callable[[], str], hasty: bool) -> Appended:
    earlier = None if hasty else _repeated(transaction, event)
    if earlier:
        return earlier
    transaction.fetch(fold.wanted(event.event_type, event.payload))
    try:
        domain.check(transaction, event.event_type, event.payload)
    except domain.Conflict:
        earlier = _repeated(transaction, event)
        if earlier:
            return earlier
        raise
    key = f"personal_records:{event.payload['exercise_id']}" if event.event_type == "SetLogged" else None
    before = transaction.get(key) if key else None
    stored = transaction.insert(event, now())
    transaction.fold(stored)
    broken = records.broken(before, transaction.get(key)) if key else []
    return Appended(stored, repeated=False, records=broken)


def _repeated(transaction: Transaction, event: NewEvent) -> Appended | None:
    earlier = transaction.find(event.event_id)
    if earlier is None:
        return None
    if earlier.event_type != event.event_type or _read(earlier) != event.payload:
        raise IdReused(f"the event id {event.event_id} belongs to another {earlier.event_type}")
    return Appended(earlier, repeated=True)


def _read(event: LogEvent) -> dict[str, Any] | None:
    try:
        return events.read(event.event_type, event.schema_version, event.payload)
    except events.FromTheFuture as error:
        raise NotReady(
            f"event {event.position} cannot be folded: {error}", hint="run a newer release of gymops"
        ) from None
