"""One-shot work on the database as a Lambda function of the app's own artefact: revisions, seals, proofs
and what restore-tests need.

It serves nobody: it runs as the owner of the schema, directly on the instance, from where the database can
be reached. An event says what to do, as in ``{"do": "schema-upgrade", "phase": "expand"}``. The answer has
the keys of the same command's ``--json``, or is ``{"error": {"code", "message", "hint"}}``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from itertools import takewhile
from typing import Any, TypeVar

from gymops.app import database, drilling, logs, proving
from gymops.app.secret import Secrets
from gymops.aws import secrets as manager
from gymops.aws import tokens as signer
from gymops.clock import Clock, SystemClock, ticks
from gymops.errors import ConfigError, GateRefused, GymopsError, LockHeld
from gymops.pg import roles, schema
from gymops.pg.connection import redact
from gymops.pg.failures import DatabaseError, Kind
from gymops.pg.revisions import Revision

_PHASES = ("expand", "contract")

_TRIES, _PAUSE = 18, 2.0
"""How often an upgrade that gave way to others is tried, and for how many seconds it stands aside: two
minutes in all."""

_TURN = 600.0
"""Seconds that another upgrade is waited for: a release that is gone on with finds its own at work."""

_log = logging.getLogger("gymops.app")
T = TypeVar("T")


def handler(event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG001 - as Lambda calls it
    """Do what the event says."""
    logs.configure()
    return answer(event, os.environ, clock=SystemClock())


def answer(
    event: Any, environ: Mapping[str, str], *, clock: Clock, secrets: Secrets = manager
) -> dict[str, Any]:
    """The document that answers an event; a failure is one too, without a secret in it."""
    began = clock.monotonic()
    try:
        name, options = _asked(event)
        if name == "spoil":
            drilling.own_password(environ, options["at"])
            options["source"] = database.provider(environ, secrets=secrets, tokens=signer)()
        there = proving.place(environ, options.pop("at")) if "at" in options else environ
        url = database.provider(there, secrets=secrets, tokens=signer)()
        found = {"target": redact(url), **_WORK[name](url, clock, **options)}
    except GymopsError as error:
        _log.error("not done: %s", error.message, extra={"fields": {"code": error.code}})
        return error.as_dict()
    except Exception as error:  # noqa: BLE001 - whoever asked waits for a document
        _log.exception("not done")
        return GymopsError(
            f"an error nobody thought of: {type(error).__name__}",
            hint="the function's log says where: gymops logs ENV",
        ).as_dict()
    _log.info("done", extra={"fields": {"do": name, "seconds": round(clock.monotonic() - began, 3)}})
    return found


def _asked(event: Any) -> tuple[str, dict[str, Any]]:
    """What to do and how.

    Raises:
        ConfigError: the event does not say it, or says more than is understood.
    """
    options = dict(event) if isinstance(event, dict) else {}
    name = options.pop("do", None)
    if not isinstance(name, str) or name not in _WORK:
        raise ConfigError(
            f"the event asks for {name!r}" if name else "the event does not say what to do",
            hint=f'{{"do": one of {", ".join(_WORK)}}}',
        )
    allowed = _OPTIONS.get(name, frozenset())
    if unknown := sorted(set(options) - allowed):
        raise ConfigError(
            f"{name} does not know {', '.join(map(repr, unknown))}",
            hint=f"it takes {', '.join(sorted(allowed)) or 'nothing'} beside do",
        )
    if missing := sorted(_NEEDED.get(name, frozenset()) - set(options)):
        raise ConfigError(
            f"{name} needs {', '.join(missing)}", hint="gymops asks for it; it is not for people"
        )
    if options.get("phase", _PHASES[0]) not in _PHASES:
        raise ConfigError(f"phase is {options['phase']!r}", hint=f"one of {', '.join(_PHASES)}, or none")
    targets = options.get("targets", [] if options.get("phase") != "contract" else None)
    if not isinstance(targets, list) or not all(isinstance(one, str) for one in targets):
        raise ConfigError(
            f"targets is {targets!r}" if "targets" in options else "a contract needs targets",
            hint="a list: accepts.highest of what serves and of each release one may return to",
        )
    return name, options


def _current(url: str, clock: Clock) -> dict[str, Any]:  # noqa: ARG001
    found = schema.look(url)
    return {
        "current": found.current,
        "pending": [one.id for one in found.pending],
        "newer": [one.id for one in found.newer],
        "accepts": {"lowest": schema.MIN_SCHEMA, "highest": schema.MAX_SCHEMA},
    }


def _history(url: str, clock: Clock) -> dict[str, Any]:  # noqa: ARG001
    found = schema.look(url)
    listed = [
        {"id": one.id, "phase": one.phase, "message": one.message, "applied": one not in found.pending}
        for one in [*schema.history(), *found.newer]
    ]
    return {"revisions": listed}


def _check(url: str, clock: Clock) -> dict[str, Any]:  # noqa: ARG001
    return schema.check(url).as_dict()


def _upgrade(url: str, clock: Clock, phase: str | None = None, targets: Sequence[str] = ()) -> dict[str, Any]:
    """Apply what is missing; with a phase, what of it comes before the first revision of another phase.

    ``targets`` are the highest revisions known to the code that serves, and to each release one may return
    to.

    Raises:
        GateRefused: one of them may need what a contract revision takes away; nothing was applied.
    """
    before = schema.pending(url)
    wanted = list(takewhile(lambda one: phase in (None, one.phase), before))
    _refuse_if_needed(wanted, targets)
    if wanted:
        _in_turn(clock, lambda: schema.upgrade(url, clock=clock, to=wanted[-1].id))
    admitted = _in_turn(clock, lambda: roles.admit(url, clock=clock))
    after = _pending(url)
    applied = [one.id for one in before if one.id not in after]
    return {"applied": applied, "current": schema.current(url), "pending": after, "admitted": admitted}


def _refuse_if_needed(wanted: Sequence[Revision], targets: Sequence[str]) -> None:
    """A contract waits until all code that may run knows it; what this code cannot place knows nothing."""
    known = [one.id for one in schema.history()]
    for one in wanted:
        knowing = known[known.index(one.id) :]
        unaware = [target for target in targets if target not in knowing]
        if one.phase != "expand" and unaware:
            raise GateRefused(
                f"{one.id} takes away what a release may need that knows the schema up to"
                f" {', '.join(sorted(set(unaware)))}",
                hint=f"release again until none of those is returned to, or serves:"
                f" each must know {one.id}; gymops releases ENV",
            )


def _in_turn(clock: Clock, change: Callable[[], T]) -> T:
    """Change the schema after another has ended that; what gave way to somebody's lock is tried again.

    Raises:
        LockHeld: the other one does not end.
        DatabaseError: it gave way to the end, or failed otherwise; it left no trace.
    """
    last_error: GymopsError | None = None
    gave_way = 0
    for _ in ticks(clock, timeout=_TURN, interval=_PAUSE):
        try:
            return change()
        except LockHeld as error:
            last_error = error
            _log.warning("waiting: %s", error.message)
        except DatabaseError as error:
            last_error, gave_way = error, gave_way + 1
            if error.kind is not Kind.LOCK_TIMEOUT or gave_way == _TRIES:
                raise
            _log.warning("gave way: %s", error.message)
    raise last_error or AssertionError("never tried")


def _digest(url: str, clock: Clock) -> dict[str, Any]:  # noqa: ARG001
    from gymops.eventlog.postgres import PostgresLog

    with closing(PostgresLog(url)) as log:
        found = log.digest()
    return {
        "events": found.events,
        "users": len(found.streams),
        "digest": found.head,
        "rejected": vars(found.rejected),
    }


def _seal(url: str, clock: Clock, **options: Any) -> dict[str, Any]:  # noqa: ARG001
    return proving.seal(url, **options)


def _prove(url: str, clock: Clock, **options: Any) -> dict[str, Any]:  # noqa: ARG001
    return proving.prove(url, **options)


def _spoil(url: str, clock: Clock, **options: Any) -> dict[str, Any]:  # noqa: ARG001
    return drilling.spoil(url, **options)


def _read(url: str, clock: Clock) -> dict[str, Any]:
    from gymops.app.reading import read

    return {"read": read(url, clock)}


def _readiness(url: str, clock: Clock) -> dict[str, Any]:
    from gymops.app.store.postgres import PostgresStore

    with closing(PostgresStore(lambda *, refresh=False: url, clock=clock)) as store:  # noqa: ARG005
        found = store.readiness()
    return {
        "ready": found.ready,
        "schema": {"revision": found.revision, "expected": found.expected},
        "projections": {"lag": found.lag},
        "problem": found.problem,
    }


def _pending(url: str) -> list[str]:
    return [one.id for one in schema.pending(url)]


_WORK: Mapping[str, Callable[..., dict[str, Any]]] = {
    "schema-current": _current,
    "schema-history": _history,
    "schema-check": _check,
    "schema-upgrade": _upgrade,
    "digest": _digest,
    "readiness": _readiness,
    "seal": _seal,
    "prove": _prove,
    "spoil": _spoil,
    "read": _read,
}
_OPTIONS: Mapping[str, frozenset[str]] = {
    "schema-upgrade": frozenset({"phase", "targets"}),
    "seal": frozenset({"known", "number", "rejected", "after", "upto", "grown"}),
    "prove": frozenset({"expected", "at", "after", "upto"}),
    "spoil": frozenset({"at", "how"}),
    "read": frozenset({"at"}),
}
_NEEDED: Mapping[str, frozenset[str]] = {
    "seal": frozenset({"known", "number", "rejected"}),
    "prove": frozenset({"expected"}),
    "spoil": frozenset({"at", "how"}),
    "read": frozenset({"at"}),
}
