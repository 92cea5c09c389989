"""The server that is backed up: what is asked of it before anything is taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.conninfo import make_conninfo

from gymops.errors import GymopsError
from gymops.eventlog.sealing import emit
from gymops.pg.connection import Connection, DatabaseError, connect_plain, translated
from gymops.pg.conninfo import parse

_FACTS = """
SELECT split_part(current_setting('server_version'), ' ', 1), current_setting('server_version_num')::int,
    pg_is_in_recovery(), (SELECT system_identifier::text FROM pg_control_system()),
    current_setting('wal_level'), pg_size_bytes(current_setting('wal_segment_size')),
    coalesce((SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), false),
    ARRAY(SELECT spcname::text FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')),
    EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('events') AND attname = 'source_event_id'),
    to_regclass('events') IS NOT NULL
"""

_FLUSHED = "SELECT pg_current_wal_flush_lsn()::text, pg_walfile_name(pg_current_wal_flush_lsn())"


class NotHere(GymopsError):
    """This server cannot be backed up, or not in this way."""

    code = "not_here"


@dataclass(frozen=True)
class Facts:
    """What a server is."""

    version: str
    """As 18.6."""
    major: int
    system: str
    """The database system's identifier."""
    segment: int
    """Bytes of a WAL segment."""
    only_sql: str | None
    """Why only SQL reaches it; None: it can be copied whole, with its WAL."""
    ours: bool
    """Whether there is an event log of our schema: no other can be sealed."""
    events: bool
    """Whether there is a table of events at all."""


@dataclass(frozen=True)
class Place:
    """A moment of the server: whatever is recovered up to ``lsn`` holds what was committed before ``at``."""

    at: datetime
    """By the server's clock."""
    lsn: str
    """As ``recovery_target_lsn``."""
    flushed: str
    """Up to here the WAL is durable, and there is nothing of the mark behind it."""
    system: str
    """The database system's identifier."""
    timeline: int


def closed(url: str) -> str | None:
    """Why a server takes no replication connections; None: it takes them."""
    try:
        connect_plain(make_conninfo("", **{**parse(url), "replication": "true"})).close()
    except DatabaseError as error:
        return error.message
    return None


def facts(connection: Connection) -> Facts:
    """Ask a server.

    Raises:
        NotHere: it is a standby.
        DatabaseError: it does not answer.
    """
    with translated():
        row = connection.execute(_FACTS).fetchone()
    if row is None:
        raise AssertionError("a query without a row")
    version, number, standby, system, level, segment, replicates, spaces, ours, events = row
    if standby:
        raise NotHere(
            "the server is a standby: what it holds cannot be sealed", hint="name the primary's URL instead"
        )
    only_sql = None
    if spaces:
        only_sql = f"it has tablespaces ({', '.join(spaces)}), which lie outside of what a base backup holds"
    elif level == "minimal":
        only_sql = "its wal_level is minimal"
    elif not replicates:
        only_sql = "its user may not replicate"
    return Facts(version, number // 10000, system, segment, only_sql, ours, events)


def mark(connection: Connection) -> Place:
    """Commit a message, so that the WAL up to it holds what was committed before, also what nobody waited for
    (``synchronous_commit = off``).
    """
    at = emit(connection, "gymops.mark", "")
    with translated():
        row = connection.execute(_FLUSHED).fetchone()
    if row is None:
        raise AssertionError("a query without a row")
    return Place(at.taken, at.lsn, row[0], at.system, int(row[1][:8], 16))
