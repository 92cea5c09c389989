"""PostgreSQL's errors in a user's words: the one edge where psycopg's are translated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import NamedTuple

import psycopg

from gymops.errors import GymopsError, TargetError


class Kind(StrEnum):
    """What went wrong, for those who act on it."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    NO_DATABASE = "no_database"
    UNSUPPORTED = "unsupported"
    DISK_FULL = "disk_full"
    READ_ONLY = "read_only"
    FORBIDDEN = "forbidden"
    CONNECTION_LOST = "connection_lost"
    LOCK_TIMEOUT = "lock_timeout"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    OUT_OF_MEMORY = "out_of_memory"
    CANCELLED = "cancelled"
    CONFLICT = "conflict"
    APPEND_ONLY = "append_only"
    SCHEMA = "schema"
    CONSTRAINT = "constraint"
    DATA = "data"
    DAMAGED = "damaged"
    OTHER = "other"


class DatabaseError(TargetError):
    """PostgreSQL refused or went away; carries the kind and, if the server answered, its SQLSTATE."""

    def __init__(
        self, message: str, *, kind: Kind, hint: str | None = None, sqlstate: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.sqlstate = sqlstate


class _Cause(NamedTuple):
    kind: Kind
    sentence: str
    hint: str


_AGAIN = "run the same command again"
_LOST = _Cause(
    Kind.CONNECTION_LOST,
    "the connection to the database was lost",
    f"see that the server is up (gymops db status, or its log), then {_AGAIN}",
)
_SCHEMA = _Cause(
    Kind.SCHEMA,
    "the database lacks a table or column this command needs",
    "gymops schema check says what is missing; gymops schema upgrade creates it",
)
_MEMORY = _Cause(
    Kind.OUT_OF_MEMORY,
    "the database server ran out of memory or of a configured resource",
    f"raise the limit the message names, or use a larger instance, then {_AGAIN}",
)
_OTHER = _Cause(
    Kind.OTHER, "the database refused a statement", "the server's own log says more under this SQLSTATE"
)

# A SQLSTATE, or its class (the first two characters) where the class is told as a whole.
_CAUSES: dict[str, _Cause] = {
    "08": _LOST,
    "57P01": _LOST,
    "57P02": _LOST,
    "57P05": _LOST,
    "25P03": _LOST,
    "25P04": _LOST,
    "57P03": _Cause(
        Kind.UNREACHABLE,
        "the database server is starting up or shutting down",
        f"wait a moment, then {_AGAIN}",
    ),
    "57P04": _Cause(
        Kind.NO_DATABASE, "the database was dropped meanwhile", "name an existing database with --to"
    ),
    "53100": _Cause(
        Kind.DISK_FULL,
        "the database server's disk is full",
        f"free or add disk space on the server, then {_AGAIN}",
    ),
    "53300": _Cause(
        Kind.TOO_MANY_CONNECTIONS,
        "the database takes no more connections",
        f"end idle sessions or raise max_connections, then {_AGAIN}",
    ),
    "53": _MEMORY,
    "54": _Cause(
        Kind.DATA,
        "a value or statement is larger than PostgreSQL allows",
        "see the server's message for which",
    ),
    "25006": _Cause(
        Kind.READ_ONLY,
        "the database is read-only: a standby, or default_transaction_read_only is set "
        "(hosted databases set it when the disk is nearly full)",
        "connect to the primary's (writer) endpoint, or have default_transaction_read_only switched off",
    ),
    "42501": _Cause(
        Kind.FORBIDDEN,
        "this database user lacks a right the command needs",
        "connect as the owner of the database, or have the right granted (GRANT)",
    ),
    "28": _Cause(
        Kind.REFUSED, "the database refused this user", "check the user name and password of the URL"
    ),
    "3D000": _Cause(Kind.NO_DATABASE, "the database does not exist", "create it (createdb), or name another"),
    "55P03": _Cause(
        Kind.LOCK_TIMEOUT,
        "another session holds a lock this statement waits for",
        f"end the session that blocks (pg_stat_activity shows it), then {_AGAIN}",
    ),
    "57014": _Cause(
        Kind.CANCELLED,
        "a statement was cancelled: by statement_timeout, an administrator or Ctrl-C",
        f"raise statement_timeout if it was too short, then {_AGAIN}",
    ),
    "40": _Cause(Kind.CONFLICT, "another transaction got in the way", _AGAIN),
    "23001": _Cause(
        Kind.APPEND_ONLY, "the event log is append-only", "correct an event by appending another one"
    ),
    "23": _Cause(
        Kind.CONSTRAINT,
        "a row breaks a rule of the database",
        "gymops schema check, then gymops verify to see which rows are there already",
    ),
    "22": _Cause(
        Kind.DATA,
        "a value cannot be stored by PostgreSQL",
        "gymops migrate --plan names the rows that do not fit",
    ),
    "42P01": _SCHEMA,
    "42703": _SCHEMA,
    "3F000": _Cause(
        Kind.SCHEMA,
        "there is no schema to work in: this user's search_path names none that exists",
        "ALTER ROLE ... SET search_path = public, or CREATE SCHEMA",
    ),
    "XX001": _Cause(
        Kind.DAMAGED,
        "the database found damaged data on its disk",
        "restore from a backup; do not write any more",
    ),
    "XX002": _Cause(
        Kind.DAMAGED,
        "the database found a damaged index",
        "REINDEX the index the message names, then run again",
    ),
    "58": _Cause(
        Kind.OTHER,
        "the database server's machine failed to read or write",
        "see the server's log and its disk",
    ),
}

# Server messages of these classes quote the offending value after a colon.
_QUOTES_VALUES = ("22", "23")
_VALUE = re.compile(r":?\s*\".*", re.DOTALL)


@contextmanager
def translated() -> Iterator[None]:
    """Turn psycopg's errors into ``DatabaseError`` (a ``TargetError``); others pass."""
    try:
        yield
    except psycopg.Error as error:
        raise failure(error) from error


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C be told as what it is, also where leaving a COPY half-way has failed in a way of its own."""
    try:
        yield
    except GymopsError as error:
        if _interrupted(error):
            raise KeyboardInterrupt from error
        raise


def _interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is what it began with."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def failure(error: psycopg.Error) -> DatabaseError:
    """One error of psycopg as ours: a cause in plain words, the SQLSTATE, the server's primary message."""
    state = error.sqlstate
    if state is None:
        return _without_answer(error)
    cause = _CAUSES.get(state) or _CAUSES.get(state[:2]) or _OTHER
    primary = error.diag.message_primary or ""
    if state[:2] in _QUOTES_VALUES and cause.kind is not Kind.APPEND_ONLY:
        primary = _constraint(error) or _VALUE.sub("", primary)
    said = f"{state}: {primary}" if primary else state
    return DatabaseError(f"{cause.sentence} ({said})", kind=cause.kind, hint=cause.hint, sqlstate=state)


def _constraint(error: psycopg.Error) -> str | None:
    name = error.diag.constraint_name
    return f"constraint {name}" if name else None


def _without_answer(error: psycopg.Error) -> DatabaseError:
    # No SQLSTATE: libpq or psycopg said so themselves. Their texts are not repeated, they may quote data.
    if isinstance(error, psycopg.OperationalError):
        return DatabaseError(_LOST.sentence, kind=_LOST.kind, hint=_LOST.hint)
    if isinstance(error, psycopg.DataError):
        cause = _CAUSES["22"]
        return DatabaseError(cause.sentence, kind=cause.kind, hint=cause.hint)
    return DatabaseError(
        f"the database driver failed: {type(error).__name__}",
        kind=Kind.OTHER,
        hint="GYMOPS_DEBUG=1 shows where",
    )
