"""The log and its projections in SQLite: one file per user, in the layout the app has always written.

``<directory>/<user id>/gym.db``, which is what ``gymops migrate`` reads. Beside the app's own four tables
a file holds how far it is folded, and the sets that records are found among.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any, NoReturn

from gymops.app import events, fold
from gymops.app.fold import Key
from gymops.app.records import Logged
from gymops.app.store import rebuild
from gymops.app.store.base import (
    Appended,
    LogEvent,
    NewEvent,
    Progress,
    Readiness,
    Rebuilt,
    Row,
    StoreUnavailable,
    beyond,
    isoformat,
    silent,
)
from gymops.app.store.transaction import Changed, Transaction, append
from gymops.clock import Clock
from gymops.errors import ConfigError
from gymops.eventlog.event import isoformat as iso_of
from gymops.eventlog.event import timestamp

BUSY_SECONDS = 10.0
"""How long a writer waits for another one."""

_APP = """
CREATE TABLE IF NOT EXISTS events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT UNIQUE NOT NULL,
  timestamp TEXT NOT NULL,
  event_type TEXT NOT NULL,
  payload TEXT NOT NULL,
  schema_version INTEGER DEFAULT 1
);
CREATE INDEX IF NOT EXISTS idx_events_type ON events(event_type);
CREATE INDEX IF NOT EXISTS idx_events_timestamp ON events(timestamp);
CREATE TABLE IF NOT EXISTS projections (
  key TEXT PRIMARY KEY, data TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS aggregates (
  period_type TEXT NOT NULL, period_key TEXT NOT NULL, data TEXT NOT NULL, updated_at TEXT NOT NULL,
  PRIMARY KEY (period_type, period_key)
);
CREATE TABLE IF NOT EXISTS exercises (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, category TEXT, description TEXT,
  is_custom INTEGER DEFAULT 0, created_at TEXT
);
"""

# folds has one row: how many events are folded, and the id of the last of them.
_FOLDED = """
CREATE TABLE IF NOT EXISTS $folds (
  one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, position INTEGER NOT NULL,
  last_id INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS $sets (
  event_id TEXT PRIMARY KEY, position INTEGER NOT NULL, workout_id TEXT NOT NULL,
  exercise_id TEXT NOT NULL, at TEXT NOT NULL, weight REAL NOT NULL, unit TEXT NOT NULL, reps INTEGER,
  seconds INTEGER, weight_kg REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS $sets_heaviest ON $sets (exercise_id, reps, weight_kg DESC, position);
CREATE INDEX IF NOT EXISTS $sets_longest ON $sets (exercise_id, seconds DESC, weight_kg DESC, position)
  WHERE reps IS NULL;
"""

_SHADOW_TABLES = """
CREATE TABLE IF NOT EXISTS shadow_projections (
  key TEXT PRIMARY KEY, data TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS shadow_aggregates (
  period_type TEXT NOT NULL, period_key TEXT NOT NULL, data TEXT NOT NULL, updated_at TEXT NOT NULL,
  PRIMARY KEY (period_type, period_key)
);
"""

_EVENT = "SELECT id, event_id, timestamp, event_type, payload, schema_version FROM events"

_SET = "event_id, position, workout_id, exercise_id, at, weight, unit, reps, seconds"


class SqliteStore:
    """A ``Store`` of one file per user in a directory, or of one file that belongs to one user."""

    def __init__(self, place: Path, *, clock: Clock, owner: str | None = None) -> None:
        self._place = place
        self._owner = owner
        self._clock = clock

    def append(self, user_id: str, events: Sequence[NewEvent]) -> list[Appended]:
        with self._transaction(user_id, create=True) as transaction:
            return append(transaction, events, lambda: isoformat(self._clock.now()))

    def rows(self, user_id: str, keys: Sequence[str]) -> dict[str, Row]:
        if not keys:
            return {}
        found = self._all(
            user_id,
            f"SELECT key, data, updated_at FROM projections WHERE key IN ({_marks(keys)})",
            *keys,
        )
        return {key: Row(json.loads(data), at) for key, data, at in found}

    def listed(self, user_id: str, prefix: str, *, after: str, limit: int) -> list[tuple[str, Row]]:
        return self._range(user_id, max(prefix, after), beyond(prefix), "ASC", limit)

    def latest(self, user_id: str, prefix: str, *, limit: int) -> list[tuple[str, Row]]:
        return self._range(user_id, prefix, beyond(prefix), "DESC", limit)

    def _range(self, user_id: str, after: str, before: str, order: str, limit: int) -> list[tuple[str, Row]]:
        found = self._all(
            user_id,
            "SELECT key, data, updated_at FROM projections"
            f" WHERE key > ? AND key < ? ORDER BY key {order} LIMIT ?",
            after,
            before,
            limit,
        )
        return [(key, Row(json.loads(data), at)) for key, data, at in found]

    def aggregates(self, user_id: str, period_type: str, *, limit: int) -> list[tuple[str, Row]]:
        found = self._all(
            user_id,
            "SELECT period_key, data, updated_at FROM aggregates"
            " WHERE period_type = ? ORDER BY period_key DESC LIMIT ?",
            period_type,
            limit,
        )
        return [(key, Row(json.loads(data), at)) for key, data, at in found]

    def exercises(self, user_id: str) -> list[dict[str, Any]]:
        names = ("id", "name", "category", "description", "is_custom")
        found = self._all(user_id, f"SELECT {', '.join(names)} FROM exercises ORDER BY id")
        return [{**dict(zip(names, row, strict=True)), "is_custom": bool(row[4])} for row in found]

    def events(self, user_id: str, *, after: int, limit: int) -> list[LogEvent]:
        found = self._all(user_id, f"{_EVENT} ORDER BY id LIMIT ? OFFSET ?", limit, after)
        return [_event(after + number, row) for number, row in enumerate(found, start=1)]

    def find(self, user_id: str, event_ids: Sequence[str]) -> list[LogEvent]:
        rows = self._all(user_id, f"{_EVENT} WHERE event_id IN ({_marks(event_ids)}) ORDER BY id", *event_ids)
        before = "SELECT count(*) FROM events WHERE id < ?"
        return [_event(self._all(user_id, before, row[0])[0][0] + 1, row) for row in rows]

    def users(self) -> Iterator[str]:
        if self._owner is not None:
            return iter([self._owner] if self._place.exists() else [])
        return iter(sorted(path.parent.name for path in self._place.glob("*/gym.db")))

    def readiness(self) -> Readiness:
        lag = 0
        for user_id in self.users():
            with self._transaction(user_id, write=False) as transaction:
                lag += transaction.end - (transaction.folded or 0)
        return Readiness("sqlite", "sqlite", lag)

    def build(self, user_id: str, progress: Progress = silent) -> int:
        return rebuild.build(_Log(self, user_id), progress)

    def rebuild(self, user_id: str, progress: Progress = silent) -> Rebuilt:
        return rebuild.rebuild(_Log(self, user_id), progress)

    def close(self) -> None:
        """Nothing stays open between two operations."""

    def _file(self, user_id: str) -> Path:
        if self._owner is not None:
            if user_id != self._owner:
                raise ConfigError(f"{self._place} belongs to the user {self._owner!r}")
            return self._place
        if user_id in ("", ".", "..") or "/" in user_id or "\0" in user_id or len(user_id.encode()) > 200:
            raise ConfigError(f"the user id {user_id!r} cannot be a folder's name")
        return self._place / user_id / "gym.db"

    def _all(self, user_id: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        if not self._file(user_id).exists():
            return []
        with self._open(user_id) as connection:
            return connection.execute(query, parameters).fetchall()

    @contextmanager
    def _open(self, user_id: str, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        path = self._file(user_id)
        try:
            if create and not path.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)
            uri = f"{path.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as found:
                yield found
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"{path}: {error}", hint="see that no other program holds the file, then try again"
            ) from error
        except OSError as error:
            raise StoreUnavailable(f"{path}: {error.strerror}", hint="see the folder's rights") from error

    @contextmanager
    def _transaction(
        self, user_id: str, prefix: str = "", *, create: bool = False, write: bool = True
    ) -> Iterator[_Transaction]:
        """A transaction; the file's one writer at a time is the user's lock."""
        with self._open(user_id, create=create) as connection:
            _prepare(connection)
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                if prefix:  # in the transaction, since another rebuild drops these tables when it is done
                    for statement in (_SHADOW_TABLES + _FOLDED.replace("$", prefix)).split(";"):
                        connection.execute(statement)
                yield _Transaction(connection, prefix)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")


class _Transaction(Transaction):
    """On the rows of one file, live or of the shadow."""

    def __init__(self, connection: sqlite3.Connection, prefix: str) -> None:
        super().__init__()
        self.connection = connection
        self._prefix = prefix
        row = connection.execute(
            f"SELECT position, last_id FROM {prefix}folds WHERE version = ?", (fold.VERSION,)
        ).fetchone()
        self._last_id: int
        self.folded, self._last_id = row or (None, 0)
        behind = connection.execute("SELECT count(*) FROM events WHERE id > ?", (self._last_id,)).fetchone()
        self.end = (self.folded or 0) + behind[0]
        if self.end == 0:
            self.folded = 0

    def find(self, event_id: str) -> LogEvent | None:
        row = self.connection.execute(f"{_EVENT} WHERE event_id = ?", (event_id,)).fetchone()
        if row is None:
            return None
        (before,) = self.connection.execute("SELECT count(*) FROM events WHERE id < ?", row[:1]).fetchone()
        return _event(before + 1, row)

    def after(self, position: int, limit: int) -> list[LogEvent]:
        found = self.connection.execute(f"{_EVENT} WHERE id > ? ORDER BY id LIMIT ?", (self._last_id, limit))
        return [self._read(position + number, row) for number, row in enumerate(found, start=1)]

    def insert(self, event: NewEvent, at: str) -> LogEvent:
        version = events.version(event.event_type)
        inserted = self.connection.execute(
            "INSERT INTO events (event_id, timestamp, event_type, payload, schema_version)"
            " VALUES (?, ?, ?, ?, ?)",
            (event.event_id, at, event.event_type, json.dumps(event.payload), version),
        )
        self.end += 1
        self._last_id = inserted.lastrowid or 0
        return LogEvent(self.end, event.event_id, at, event.event_type, event.payload, version)

    def _read(self, position: int, row: tuple[Any, ...]) -> LogEvent:
        self._last_id = row[0]
        return _event(position, row)

    def _fetch(self, keys: Sequence[Key]) -> dict[Key, Any]:
        found: dict[Key, Any] = {}
        plain = [key for key in keys if isinstance(key, str)]
        if plain:
            rows = self.connection.execute(
                f"SELECT key, data FROM {self._prefix}projections WHERE key IN ({_marks(plain)})", plain
            )
            found.update((key, json.loads(data)) for key, data in rows)
        for key in keys:
            if not isinstance(key, str):
                row = self.connection.execute(
                    f"SELECT data FROM {self._prefix}aggregates WHERE period_type = ? AND period_key = ?", key
                ).fetchone()
                found[key] = json.loads(row[0]) if row else None
        return found

    def _find_set(self, event_id: str) -> Logged | None:
        return self._one_set("event_id = ?", event_id)

    def _find_heaviest(self, exercise_id: str, reps: int) -> Logged | None:
        order = "ORDER BY weight_kg DESC, position LIMIT 1"
        return self._one_set(f"exercise_id = ? AND reps = ? {order}", exercise_id, reps)

    def _find_longest(self, exercise_id: str) -> Logged | None:
        order = "ORDER BY seconds DESC, weight_kg DESC, position LIMIT 1"
        return self._one_set(f"exercise_id = ? AND reps IS NULL {order}", exercise_id)

    def _one_set(self, condition: str, *parameters: Any) -> Logged | None:
        row = self.connection.execute(
            f"SELECT {_SET} FROM {self._prefix}sets WHERE {condition}", parameters
        ).fetchone()
        return Logged(*row) if row else None

    def _write(self, rows: list[Changed], position: int) -> None:
        for key, data, at, _ in rows:
            table, names, values = (
                ("projections", "key", (key,))
                if isinstance(key, str)
                else ("aggregates", "period_type, period_key", key)
            )
            if data is None:
                self.connection.execute(f"DELETE FROM {self._prefix}{table} WHERE {names} = ?", values)
                continue
            self.connection.execute(
                f"INSERT INTO {self._prefix}{table} ({names}, data, updated_at)"
                f" VALUES ({_marks([*values, data, at])}) ON CONFLICT ({names})"
                " DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at",
                (*values, json.dumps(data), at),
            )
        self.connection.execute(
            f"INSERT OR REPLACE INTO {self._prefix}folds VALUES (1, ?, ?, ?)",
            (fold.VERSION, position, self._last_id),
        )

    def _write_sets(self, put: list[Logged], gone: list[str]) -> None:
        self.connection.executemany(
            f"INSERT OR REPLACE INTO {self._prefix}sets ({_SET}, weight_kg) VALUES ({_marks('0123456789')})",
            [(*astuple(one), one.weight_kg) for one in put],
        )
        self.connection.executemany(
            f"DELETE FROM {self._prefix}sets WHERE event_id = ?", [(event_id,) for event_id in gone]
        )


class _Log:
    """One user's log as a rebuild uses it; see ``rebuild.Log``."""

    def __init__(self, store: SqliteStore, user_id: str) -> None:
        self._store = store
        self._user = user_id
        self._changed: dict[str, int] = {}

    def live(self) -> AbstractContextManager[Transaction]:
        return self._store._transaction(self._user)

    @contextmanager
    def shadow(self) -> Iterator[_Transaction]:
        with self._store._transaction(self._user, "shadow_") as transaction:
            if transaction.folded is None:  # what an older release began
                for table in _TABLES:
                    transaction.connection.execute(f"DELETE FROM shadow_{table}")
            yield transaction

    @contextmanager
    def swap(self) -> Iterator[_Transaction]:
        with self.shadow() as transaction:
            yield transaction
            changed = {table: _swap(transaction.connection, table) for table in _TABLES}
            self._changed = {table: count for table, count in changed.items() if table != "folds"}

    def changed(self) -> dict[str, int]:
        return self._changed


# Table -> what is compared, what goes with it, and which rows are the fold's; those of others stay.
_TABLES = {
    "projections": (
        "key, data",
        ", updated_at",
        " OR ".join(f"substr(key, 1, {len(prefix)}) = '{prefix}'" for prefix in fold.PROJECTIONS),
    ),
    "aggregates": (
        "period_type, period_key, data",
        ", updated_at",
        "period_type IN ({})".format(", ".join(f"'{kind}'" for kind in fold.AGGREGATES)),
    ),
    "sets": (f"{_SET}, weight_kg", "", "true"),
    "folds": ("one, version, position, last_id", "", "true"),
}


def _swap(connection: sqlite3.Connection, table: str) -> int:
    """Put the shadow's rows in the place of the live ones; how many were not the same."""
    compared, written, owned = _TABLES[table]
    live = f"SELECT {compared} FROM {table} WHERE {owned}"
    shadow = f"SELECT {compared} FROM shadow_{table}"
    changed = max(
        int(connection.execute(f"SELECT count(*) FROM ({one} EXCEPT {other})").fetchone()[0])
        for one, other in ((live, shadow), (shadow, live))
    )
    connection.execute(f"DELETE FROM {table} WHERE {owned}")
    columns = compared + written
    connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM shadow_{table}")
    connection.execute(f"DROP TABLE shadow_{table}")
    return changed


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables that are not there."""
    known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"events", "projections", "aggregates", "exercises", "folds", "sets"} <= known:
        script = _APP + _FOLDED.replace("$", "")
        connection.executescript(f"BEGIN IMMEDIATE; {script} COMMIT;")


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _event(position: int, row: tuple[Any, ...]) -> LogEvent:
    _, event_id, at, event_type, payload, schema_version = row
    try:
        moment = iso_of(timestamp(at)[0])
    except ValueError as error:
        raise StoreUnavailable(
            f"event {position} has no timestamp: {error}", hint="gymops migrate --plan names every bad event"
        ) from None
    try:
        data = json.loads(payload, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, TypeError, RecursionError):
        data = None  # folded as nothing, as an event that cannot be read
    return LogEvent(position, str(event_id), moment, event_type, data, schema_version or 1)


def _no_number(name: str) -> NoReturn:
    """NaN and the infinities are Python's and not JSON's: what is folded from them could not be sent."""
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)
