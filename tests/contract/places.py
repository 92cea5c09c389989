"""Every place an event log can live, each filled with given events by plain SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg

from gymops.config import EventMapping
from gymops.eventlog.event import Event, isoformat
from gymops.eventlog.log import EventLog
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.workspace import SqliteLog
from gymops.pg import embedded
from tests.conftest import Databases, Servers, fresh_databases
from tests.fixtures_schema import Templates

USER = "alice"
"""Whose events those of a place without users are."""


class Log(EventLog, Protocol):
    """A log that can be closed."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Place:
    """One kind of place; ``fill`` makes a new log of this kind that holds the events."""

    name: str
    fill: Callable[[Sequence[Event]], Log]
    users: bool = False
    """It can hold the events of several users."""
    text_ids: bool = True
    """It can hold ids that are no UUID."""
    versions: bool = True
    """It holds schema versions."""
    side: bool = False
    """Its events have a column of their own that ours have not."""


SQLITE_TITAN = """
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT UNIQUE NOT NULL, timestamp TEXT NOT NULL,
  event_type TEXT NOT NULL, payload TEXT NOT NULL, schema_version INTEGER DEFAULT 1
);
CREATE TABLE projections (key TEXT PRIMARY KEY, data TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE aggregates (
  period_type TEXT NOT NULL, period_key TEXT NOT NULL, data TEXT NOT NULL, updated_at TEXT NOT NULL,
  PRIMARY KEY (period_type, period_key)
);
CREATE TABLE exercises (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, category TEXT, description TEXT, is_custom INTEGER DEFAULT 0,
  created_at TEXT
);
"""
SQLITE_NEON = """
CREATE TABLE events (
  event_id TEXT PRIMARY KEY, event_type TEXT NOT NULL, timestamp TEXT NOT NULL, data TEXT NOT NULL,
  created_at TEXT
);
"""
SQLITE_OTHER = """
CREATE TABLE "the log" (
  seq INTEGER PRIMARY KEY, "Uid" TEXT UNIQUE, "at" TEXT, kind TEXT, "select" TEXT, v INTEGER
);
"""
MAPPING = EventMapping("the log", "uid", "at", "kind", "select", "v")

EMPTY_OURS = """
ALTER TABLE events DISABLE TRIGGER events_append_only;
TRUNCATE events;
ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only
"""
POSTGRES_APP = """
DROP TABLE IF EXISTS events;
CREATE TABLE events (
  id serial PRIMARY KEY, event_id varchar(255) UNIQUE NOT NULL, user_id varchar(255) NOT NULL,
  event_type varchar(100) NOT NULL, payload jsonb NOT NULL, timestamp timestamptz NOT NULL,
  created_at timestamptz DEFAULT now()
)
"""
POSTGRES_NEON = """
DROP TABLE IF EXISTS events;
CREATE TABLE events (
  event_id text PRIMARY KEY, event_type text NOT NULL, timestamp timestamptz NOT NULL, data jsonb NOT NULL,
  created_at timestamptz DEFAULT now()
)
"""
POSTGRES_TITAN = """
DROP TABLE IF EXISTS events;
CREATE TABLE events (
  id serial PRIMARY KEY, event_id uuid UNIQUE NOT NULL, timestamp timestamptz NOT NULL,
  event_type varchar(50) NOT NULL, payload jsonb NOT NULL, schema_version int DEFAULT 1
)
"""


def own_id(event: Event) -> str:
    """The id as the source had it."""
    return str(event.event_id) if event.source_event_id is None else event.source_event_id


class Places:
    """Makes logs of every kind; what it made goes away on ``close``."""

    def __init__(self, folder: Path, servers: Servers, templates: Templates) -> None:
        self._folder = folder
        self._servers = servers
        self._templates = templates
        self._stack, self._logs = ExitStack(), ExitStack()
        self._makers: dict[str, Databases] = {}
        self._databases: dict[tuple[str, bool], list[str]] = {}
        self._free: dict[tuple[str, bool], list[str]] = {}
        self._urls: dict[int, str] = {}
        self._made = 0
        self.kinds = {
            place.name: place
            for place in (
                Place("sqlite titan", self._sqlite_titan),
                Place("sqlite neon", self._sqlite_neon, versions=False, side=True),
                Place("sqlite mapped", self._sqlite_mapped),
                Place("workspace", self._workspace, users=True),
                Place("postgres ours", self._ours("embedded"), users=True),
                Place("postgres ours, system's", self._ours("system"), users=True),
                Place("postgres app", self._app, users=True, versions=False),
                Place("postgres neon", self._neon, versions=False),
                Place("postgres titan", self._titan, text_ids=False),
            )
        }

    def empty(self) -> None:
        """Close the logs; their databases are used again, for making one takes longer than a test."""
        self._logs.close()
        self._free.update({key: list(urls) for key, urls in self._databases.items()})

    def close(self) -> None:
        """Drop everything."""
        self._logs.close()
        self._stack.close()

    def _path(self) -> Path:
        self._made += 1
        return self._folder / f"log {self._made}"

    def _keep(self, log: Log) -> Log:
        self._logs.callback(log.close)
        return log

    def _sqlite(self, path: Path, schema: str, insert: str, rows: Iterable[tuple[object, ...]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executescript(schema)
            connection.executemany(insert, rows)
        return path

    def titan_file(self, path: Path, events: Sequence[Event]) -> Path:
        return self._sqlite(
            path,
            SQLITE_TITAN,
            "INSERT INTO events (event_id, timestamp, event_type, payload, schema_version)"
            " VALUES (?, ?, ?, ?, ?)",
            ((own_id(e), isoformat(e.timestamp), e.event_type, e.payload, e.schema_version) for e in events),
        )

    def _sqlite_titan(self, events: Sequence[Event]) -> Log:
        return self._keep(SqliteLog(self.titan_file(self._path(), events), USER))

    def _sqlite_neon(self, events: Sequence[Event]) -> Log:
        file = self._sqlite(
            self._path(),
            SQLITE_NEON,
            "INSERT INTO events VALUES (?, ?, ?, ?, '2026-01-01')",
            ((own_id(e), e.event_type, isoformat(e.timestamp), e.payload) for e in events),
        )
        return self._keep(SqliteLog(file, USER))

    def _sqlite_mapped(self, events: Sequence[Event]) -> Log:
        file = self._sqlite(
            self._path(),
            SQLITE_OTHER,
            'INSERT INTO "the log" VALUES (?, ?, ?, ?, ?, ?)',
            (
                (10 * n, own_id(e), isoformat(e.timestamp), e.event_type, e.payload, e.schema_version)
                for n, e in enumerate(events, -3)
            ),
        )
        return self._keep(SqliteLog(file, USER, MAPPING))

    def _workspace(self, events: Sequence[Event]) -> Log:
        folder = self._path()
        for user in {e.user_id for e in events} or {USER}:
            self.titan_file(folder / user / "gym.db", [e for e in events if e.user_id == user])
        return self._keep(SqliteLog(folder))

    def database(self, kind: str = "embedded", *, ours: bool = False) -> str:
        """A database of no other log, with our schema or with anything."""
        if self._free.get((kind, ours)):
            return self._free[kind, ours].pop()
        server: embedded.Server = self._servers.get(kind)
        if kind not in self._makers:
            self._makers[kind] = self._stack.enter_context(fresh_databases(server))
        url = self._makers[kind](self._templates.on(server) if ours else "template1")
        self._databases.setdefault((kind, ours), []).append(url)
        return url

    def _postgres(self, url: str, schema: str, insert: str, rows: Iterable[tuple[object, ...]]) -> Log:
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(schema.encode())
            cursor.executemany(insert.encode(), rows)
        log = self._keep(PostgresLog(url, USER))
        self._urls[id(log)] = url
        return log

    def url_of(self, log: Log) -> str:
        """The database a log is in."""
        return self._urls[id(log)]

    def _ours(self, kind: str) -> Callable[[Sequence[Event]], Log]:
        def fill(events: Sequence[Event]) -> Log:
            positions: dict[str, int] = {}
            rows = []
            for e in events:
                positions[e.user_id] = positions.get(e.user_id, 0) + 1
                place = (e.user_id, positions[e.user_id], e.event_id, e.source_event_id)
                rows.append((*place, isoformat(e.timestamp), e.event_type, e.payload, e.schema_version))
            return self._postgres(
                self.database(kind, ours=True),
                EMPTY_OURS,
                "INSERT INTO events (user_id, position, event_id, source_event_id, timestamp, event_type,"
                " payload, schema_version) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                rows,
            )

        return fill

    def _app(self, events: Sequence[Event]) -> Log:
        return self._postgres(
            self.database(),
            POSTGRES_APP,
            "INSERT INTO events (event_id, user_id, event_type, payload, timestamp)"
            " VALUES (%s, %s, %s, %s, %s)",
            ((own_id(e), e.user_id, e.event_type, e.payload, isoformat(e.timestamp)) for e in events),
        )

    def _neon(self, events: Sequence[Event]) -> Log:
        return self._postgres(
            self.database(),
            POSTGRES_NEON,
            "INSERT INTO events (event_id, event_type, timestamp, data) VALUES (%s, %s, %s, %s)",
            ((own_id(e), e.event_type, isoformat(e.timestamp), e.payload) for e in events),
        )

    def _titan(self, events: Sequence[Event]) -> Log:
        return self._postgres(
            self.database(),
            POSTGRES_TITAN,
            "INSERT INTO events (event_id, timestamp, event_type, payload, schema_version)"
            " VALUES (%s, %s, %s, %s, %s)",
            ((e.event_id, isoformat(e.timestamp), e.event_type, e.payload, e.schema_version) for e in events),
        )
