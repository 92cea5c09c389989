"""What a migration will do, decided before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gymops.errors import BadEvents
from gymops.eventlog.event import isoformat
from gymops.eventlog.opening import show
from gymops.eventlog.workspace import Reading, SqliteLog

PROBLEMS_SHOWN = 20


@dataclass(frozen=True)
class Problem:
    """A row that cannot be moved as it is."""

    user_id: str
    file: str
    table: str
    rowid: int
    reason: str

    def __str__(self) -> str:
        return f"user {self.user_id!r}, {self.file}, {self.table} row {self.rowid}: {self.reason}"


@dataclass(frozen=True)
class UserPlan:
    """One user's events: in the source, and how many of them the target holds already."""

    user_id: str
    file: str
    shape: str
    events: int
    rejected: int
    already_there: int
    after_rowid: int
    """The rowid of the last event that is there already; copying goes on behind it."""

    @property
    def to_write(self) -> int:
        return self.events - self.already_there


@dataclass(frozen=True)
class TablePlan:
    """A table beside the events."""

    rows: int
    rejected: int
    to_write: int


FOLDED = "users whose projections the target folds from the events itself: neither written nor compared"


@dataclass(frozen=True)
class Plan:
    """Everything a run is going to do."""

    source: str
    target: str
    users: tuple[UserPlan, ...]
    tables: dict[str, TablePlan]
    columns: dict[str, str]
    event_types: dict[str, int]
    first: str | None
    last: str | None
    bytes: int
    notes: dict[str, int]
    problems: tuple[Problem, ...]
    unknown_tables: tuple[str, ...]
    unknown_columns: tuple[str, ...]
    ignored: tuple[str, ...]
    pending_revisions: tuple[str, ...]
    unfinished: bool
    """An earlier run ended before its proof."""
    rejects_to_write: bool
    folded: frozenset[str]
    """Users whose projections the target folds from their events itself."""

    @property
    def events(self) -> int:
        return sum(user.events for user in self.users)

    @property
    def rejected(self) -> int:
        """Bad rows in all tables."""
        return self.rejected_events + sum(table.rejected for table in self.tables.values())

    @property
    def rejected_events(self) -> int:
        return sum(user.rejected for user in self.users)

    @property
    def to_write(self) -> int:
        return sum(user.to_write for user in self.users)

    @property
    def already_there(self) -> int:
        return sum(user.already_there for user in self.users)

    @property
    def work(self) -> bool:
        """Whether there is anything to do."""
        return bool(
            self.to_write
            or self.pending_revisions
            or self.unfinished
            or self.rejects_to_write
            or any(table.to_write for table in self.tables.values())
        )

    def as_dict(self) -> dict[str, Any]:
        """The document of ``migrate --plan --json``."""
        return {
            "source": self.source,
            "target": self.target,
            "work": self.work,
            "users": [
                {"user": user.user_id, "file": user.file, "shape": user.shape, "events": user.events}
                | {"rejected": user.rejected, "already_there": user.already_there}
                for user in self.users
            ],
            "events": {
                "source": self.events,
                "to_write": self.to_write,
                "already_there": self.already_there,
                "rejected": self.rejected_events,
            },
            "tables": {
                name: {"source": table.rows, "to_write": table.to_write, "rejected": table.rejected}
                for name, table in self.tables.items()
            },
            "columns": self.columns,
            "event_types": self.event_types,
            "time_span": {"first": self.first, "last": self.last},
            "bytes": self.bytes,
            "notes": self.notes,
            "problems": [vars(problem) for problem in self.problems],
            "unknown_tables": list(self.unknown_tables),
            "unknown_columns": list(self.unknown_columns),
            "ignored": list(self.ignored),
            "pending_revisions": list(self.pending_revisions),
        }

    def refuse_problems(self, quarantine: bool) -> None:
        """Stop at bad rows unless they are to be quarantined.

        Raises:
            BadEvents: listing the first of them and the command to go on with.
        """
        if not self.problems or quarantine:
            return
        more = self.rejected - len(self.problems)
        lines = [f"  {problem}" for problem in self.problems] + ([f"  and {more:,} more"] if more else [])
        raise BadEvents(
            f"{self.rejected:,} rows of {self.source} cannot be moved as they are; nothing was written:\n"
            + "\n".join(lines),
            hint="mend them in the app, or add --on-bad-event quarantine to move all others and keep these"
            " verbatim in the table rejected_events",
        )


def make(
    source: SqliteLog,
    target: str,
    *,
    already_there: dict[str, int],
    table_work: dict[str, int],
    pending_revisions: list[str],
    unfinished: bool,
    rejects_to_write: bool,
    folded: frozenset[str],
) -> Plan:
    """The plan for a source that was read and what the target holds."""
    readings = source.read()
    event_types: dict[str, int] = {}
    notes: dict[str, int] = {FOLDED: len(folded)} if folded else {}
    for reading in readings.values():
        _add(event_types, reading.scan.types)
        _add(notes, reading.scan.notes)
    firsts = [reading.scan.first for reading in readings.values() if reading.scan.first is not None]
    lasts = [reading.scan.last for reading in readings.values() if reading.scan.last is not None]
    return Plan(
        source=source.name,
        target=target,
        users=tuple(_user(user, readings[user], already_there.get(user, 0)) for user in source.users),
        tables=_tables(readings, table_work),
        columns=_columns(next(iter(readings.values()))),
        event_types=dict(sorted(event_types.items(), key=lambda item: -item[1])),
        first=isoformat(min(firsts)) if firsts else None,
        last=isoformat(max(lasts)) if lasts else None,
        bytes=sum(reading.contents.bytes for reading in readings.values()),
        notes=notes,
        problems=tuple(_problems(readings))[:PROBLEMS_SHOWN],
        unknown_tables=_distinct(name for r in readings.values() for name in r.contents.unknown_tables),
        unknown_columns=_distinct(
            f"{table}.{name}" for r in readings.values() for table, name in _unknown_columns(r)
        ),
        ignored=tuple(source.ignored),
        pending_revisions=tuple(pending_revisions),
        unfinished=unfinished,
        rejects_to_write=rejects_to_write,
        folded=folded,
    )


def _user(user_id: str, reading: Reading, already_there: int) -> UserPlan:
    return UserPlan(
        user_id=user_id,
        file=show(reading.file.path),
        shape=reading.contents.shape.name,
        events=reading.scan.events,
        rejected=len(reading.scan.rejected),
        already_there=already_there,
        after_rowid=reading.scan.watched_rowid if already_there else reading.contents.low_mark - 1,
    )


def _tables(readings: dict[str, Reading], work: dict[str, int]) -> dict[str, TablePlan]:
    rows: dict[str, int] = {}
    rejected: dict[str, int] = {}
    for reading in readings.values():
        _add(rows, {table.name: table.rows for table in reading.contents.tables})
        for row in reading.rejected_table_rows:
            rejected[row.table] = rejected.get(row.table, 0) + 1
    return {
        name: TablePlan(rows[name], rejected.get(name, 0), work.get(name, rows[name] - rejected.get(name, 0)))
        for name in sorted(rows)
    }


def _columns(reading: Reading) -> dict[str, str]:
    shape = reading.contents.shape
    found = {
        "event_id": shape.event_id,
        "timestamp": shape.timestamp,
        "event_type": shape.event_type,
        "payload": shape.payload,
        "schema_version": shape.schema_version,
    }
    return {name: f"{shape.table}.{column}" if column else "1" for name, column in found.items()}


def _problems(readings: dict[str, Reading]) -> list[Problem]:
    found = []
    for user_id, reading in readings.items():
        file, events = show(reading.file.path), reading.contents.shape.table
        found += [Problem(user_id, file, events, bad.rowid, bad.reason) for bad in reading.scan.samples]
        found += [
            Problem(user_id, file, row.table, row.rowid, row.reason) for row in reading.rejected_table_rows
        ]
    return found


def _unknown_columns(reading: Reading) -> list[tuple[str, str]]:
    shape = reading.contents.shape
    columns = [(shape.table, name) for name in shape.extra]
    return columns + [(table.name, name) for table in reading.contents.tables for name in table.extra]


def _add(total: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        total[name] = total.get(name, 0) + count


def _distinct(names: Any) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
