"""Schema revisions: applied one transaction each under a lock, and checked against what the code accepts."""

from __future__ import annotations

from gymops.clock import Clock
from gymops.errors import GymopsError, SchemaError
from gymops.pg import revisions
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
    "Revision",
    "check",
    "current",
    "history",
    "lint",
    "pending",
    "upgrade",
]

MIN_SCHEMA = "0004"
"""The lowest revision this code works on."""
MAX_SCHEMA = "0004"
"""The highest revision this code works on."""

_ROLE_MISSING = "the role gymops_app is missing"


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


def current(url: str) -> str | None:
    """The database's revision, or None when it has none yet.

    Raises:
        SchemaError: it holds a revision this gymops does not know, or tables that are not ours.
    """
    with connect(url, autocommit=True) as connection:
        return _current(connection)


def pending(url: str) -> list[Revision]:
    """The revisions the database lacks, oldest first."""
    return _after(current(url))


def check(url: str) -> Report:
    """Whether the database has the schema this code needs, with its protections in place."""
    with connect(url, autocommit=True) as connection, translated():
        at = _current(connection)
        checks = [_at_head(at), _accepted(at)]
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


def _current(connection: Connection) -> str | None:
    with translated():
        tables = existing(connection)
        if "alembic_version" in tables:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            versions = [str(row[0]) for row in rows]
        else:
            versions = []
    if not versions:
        _refuse_foreign(tables)
        return None
    known = [revision.id for revision in history()]
    if len(versions) > 1 or versions[0] not in known:
        raise SchemaError(
            f"the database is at revision {', '.join(sorted(versions))}, which this gymops does not know "
            f"(it knows {known[0]} to {known[-1]})",
            hint="use the newer gymops that made it; if another program did, use an empty database",
        )
    return versions[0]


def _refuse_foreign(tables: list[str]) -> None:
    ours = [name for name in tables if name != "alembic_version"]
    if ours:
        raise SchemaError(
            f"the database already has {', '.join(ours)}, and gymops did not create it",
            hint="use an empty database: createdb NAME, then --to with its URL",
        )


def _after(at: str | None) -> list[Revision]:
    revisions = history()
    ids = [revision.id for revision in revisions]
    return revisions if at is None else revisions[ids.index(at) + 1 :]


def _at_head(at: str | None) -> Check:
    missing = [revision.id for revision in _after(at)]
    if missing:
        return Check("revision", False, f"pending: {', '.join(missing)}; gymops schema upgrade applies them")
    return Check("revision", True, f"at the newest, {at}")


def _accepted(at: str | None) -> Check:
    ok = at is not None and MIN_SCHEMA <= at <= MAX_SCHEMA
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
