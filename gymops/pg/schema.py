"""Schema revisions: applied one transaction each under a lock, and checked against what the code accepts."""

from __future__ import annotations

from dataclasses import dataclass

from gymops.clock import Clock
from gymops.errors import GymopsError, SchemaError
from gymops.pg import accepted, revisions
from gymops.pg.accepted import MAX_SCHEMA, MIN_SCHEMA
from gymops.pg.blockers import watched
from gymops.pg.catalogue import existing, inspect, lint
from gymops.pg.connection import Connection, connect, translated
from gymops.pg.failures import DatabaseError, Kind
from gymops.pg.lock import AdvisoryLock, hold
from gymops.pg.revisions import Revision, history
from gymops.report import Check, Report

__all__ = [
    "MAX_SCHEMA",
    "MIN_SCHEMA",
    "Found",
    "Revision",
    "check",
    "current",
    "history",
    "lint",
    "look",
    "pending",
    "upgrade",
]

_ROLE_MISSING = "the role gymops_app is missing"


@dataclass(frozen=True)
class Found:
    """Where a database stands, seen from the revisions this gymops knows."""

    current: str | None
    """None when it has no revision yet."""
    pending: list[Revision]
    """Those it lacks, oldest first."""
    newer: list[Revision]
    """Those of a later gymops, oldest first; this one works on what they made."""


def upgrade(url: str, *, clock: Clock, to: str = "head") -> list[str]:
    """Apply what is missing up to ``to``, each revision in one transaction with its version row.

    Returns the revisions applied, oldest first.

    Raises:
        SchemaError: the database holds a schema that is not ours, or the revision does not exist.
        LockHeld: another upgrade is at work.
        DatabaseError: a revision failed and left no trace; those before it stay.
    """
    applied = []
    with hold(url, "schema", clock=clock, holder="schema") as lock:
        for revision in _up_to(to, pending(url)):
            lock.check()
            _apply(url, revision, lock)
            applied.append(revision.id)
    return applied


def look(url: str) -> Found:
    """The database's revision, what it lacks, and what a later gymops added.

    Raises:
        SchemaError: it is of a schema this gymops does not work on, or holds tables that are not ours.
    """
    with connect(url, autocommit=True) as connection:
        return _look(connection)


def current(url: str) -> str | None:
    """The database's revision, or None when it has none yet; see ``look``."""
    return look(url).current


def pending(url: str) -> list[Revision]:
    """The revisions the database lacks, oldest first; see ``look``."""
    return look(url).pending


def check(url: str) -> Report:
    """Whether the database has the schema this code needs, with its protections in place."""
    with connect(url, autocommit=True) as connection, translated():
        found = _look(connection)
        checks = [_at_head(found), _accepted(found)]
        if checks[0].ok:
            checks += inspect(connection)
    return Report(tuple(checks))


def _up_to(to: str, missing: list[Revision]) -> list[Revision]:
    if to == "head":
        return missing
    known = [revision.id for revision in history()]
    if to not in known:
        raise SchemaError(f"there is no revision {to!r}", hint=f"gymops schema history ({', '.join(known)})")
    return [revision for revision in missing if known.index(revision.id) <= known.index(to)]


def _look(connection: Connection) -> Found:
    with translated():
        tables = existing(connection)
        rows = connection.execute(accepted.VERSIONS).fetchall() if "alembic_version" in tables else []
    known = history()
    if not rows:
        _refuse_foreign(tables)
        return Found(None, known, [])
    if len(rows) > 1:
        raise accepted.unknown([str(at) for at, _ in rows])
    (at, recorded), ids = rows[0], [revision.id for revision in known]
    if at in ids:
        return Found(at, known[ids.index(at) + 1 :], [])
    return Found(at, [], accepted.newer(at, recorded))


def _refuse_foreign(tables: list[str]) -> None:
    ours = [name for name in tables if name != "alembic_version"]
    if ours:
        raise SchemaError(
            f"the database already has {', '.join(ours)}, and gymops did not create it",
            hint="use an empty database: createdb NAME, then --to with its URL",
        )


def _at_head(found: Found) -> Check:
    missing = [revision.id for revision in found.pending]
    if missing and found.pending[0].phase != "expand":
        # Code that knows it works before it and after it.
        return Check("revision", True, f"at {found.current}; {missing[0]} takes away, and may wait")
    if missing:
        return Check("revision", False, f"pending: {', '.join(missing)}; gymops schema upgrade applies them")
    if found.newer:
        return Check("revision", True, f"at {found.current}, newer than {MAX_SCHEMA}: it was only added to")
    return Check("revision", True, f"at the newest, {found.current}")


def _accepted(found: Found) -> Check:
    at = found.current
    ok = bool(found.newer) or (at is not None and MIN_SCHEMA <= at <= MAX_SCHEMA)
    wanted = f"this gymops works on {MIN_SCHEMA} to {MAX_SCHEMA}"
    return Check("accepted", ok, wanted if ok else f"{wanted}, the database is at {at or 'none'}")


def _apply(url: str, revision: Revision, lock: AdvisoryLock) -> None:
    connection = connect(url)
    with watched(connection.info.backend_pid, lock.connection) as blockers:
        try:
            revisions.run(connection, revision.id)
        except DatabaseError as error:
            raise _explained(error, revision, blockers()) from error


def _explained(error: DatabaseError, revision: Revision, blockers: list[str]) -> GymopsError:
    if _ROLE_MISSING in error.message:
        return SchemaError(
            f"revision {revision.id} needs the role gymops_app, and this user may not create it",
            hint="an administrator runs: CREATE ROLE gymops_app NOLOGIN; then gymops schema upgrade",
        )
    message, hint = f"revision {revision.id} failed and left no trace: {error.message}", error.hint
    if error.kind is Kind.LOCK_TIMEOUT and blockers:
        message = (
            f"revision {revision.id} gave way after {revisions.LOCK_TIMEOUT} and left no trace: "
            f"blocked by {'; '.join(blockers)}"
        )
        hint = (
            "wait for that session, or end it (SELECT pg_terminate_backend(...)); then gymops schema upgrade"
        )
    return DatabaseError(message, kind=error.kind, hint=hint, sqlstate=error.sqlstate)
