"""Sealing and proving from inside of the network, where a private database can be reached.

What is sealed is signed and stored by whoever asks; nothing of an event leaves, only counts and hashes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from gymops.errors import ConfigError, SourceError
from gymops.eventlog import parts
from gymops.eventlog.digest import CHUNK
from gymops.eventlog.postgres import Between, PostgresLog, snapshot
from gymops.eventlog.proof import hold
from gymops.eventlog.sealing import Known, mark, read, readable
from gymops.pg.failures import DatabaseError

_MOST = parts.MOST
_DAMAGED = ("XX", "58P01", "42P01")
"""SQLSTATEs of data that cannot be read: a damaged page, a file that is missing, no such table."""


def seal(url: str, known: str, number: int, rejected: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The streams of some users that grew; and with the last users, if anything grew, the seal's mark.

    Where they are too many for an answer, those up to a user are in it, ``upto``: ask again from there on.

    ``more``: ``after`` and ``upto`` (users), and ``grown``: whether earlier parts grew.

    Raises:
        LogDamaged: the log holds fewer events than were sealed, or others, or cannot be read.
        Unverified: one user alone is too many.
    """
    users, before = _between(more), parts.read_known(known)
    with closing(PostgresLog(url)) as log, readable():
        with snapshot(log.connection):
            told = _fitting(log, users, before)
            found = read(log, {user: one for user, one in before.items() if told.holds(user)}, told)
            bad = log.rejected()
        answer: dict[str, Any] = {"streams": parts.grown(found)}
        if told != users:
            return {**answer, "upto": told.upto}
        if users.upto is None and (number == 1 or found or more.get("grown") or vars(bad) != rejected):
            answer["mark"] = parts.mark(mark(log, number), bad)
    return answer


def _fitting(log: PostgresLog, users: Between, before: Mapping[str, Known]) -> Between:
    """As many of the users, from the first one on, as an answer has room for."""
    cost = {}
    for user, events in log.counts().items():
        one = before.get(user)
        if users.holds(user) and events > (one.events if one else 0):
            cost[user] = 1 + (events - (one.after if one else 0)) // CHUNK
    first, _ = next(parts.split(cost, _MOST))
    return users if first.upto is None else Between(users.after, first.upto)


def prove(url: str, expected: str, **more: Any) -> dict[str, Any]:
    """What came back of some users' streams; with the last users, the rejected rows too.

    Raises:
        SourceError: what came back is no event log any more, or its pages are damaged.
    """
    users, wanted = _between(more), parts.read_expected(expected)
    try:
        return _held(url, users, wanted)
    except DatabaseError as error:
        if error.sqlstate and error.sqlstate.startswith(_DAMAGED):
            raise SourceError(f"what came back is damaged: {error.message}", hint=error.hint) from None
        raise


def _held(url: str, users: Between, wanted: parts.Expected) -> dict[str, Any]:
    with closing(PostgresLog(url, between=users)) as log, snapshot(log.connection):
        answer: dict[str, Any] = {"part": parts.held(hold(log, wanted.streams, wanted.chunks))}
    if users.upto is None:
        with closing(PostgresLog(url)) as log:
            answer["rejected"] = vars(log.rejected())
    return answer


def place(environ: Mapping[str, str], at: Any) -> dict[str, str]:
    """The settings for another database than the environment's: one that was restored beside it.

    ``at``: ``host`` and ``port``; and ``secret``, an ARN, where it has a password of its own.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(at, dict) or not {"host", "port"} <= set(at) <= {"host", "port", "secret"}:
        raise ConfigError("at names no database", hint='{"host": NAME, "port": NUMBER, "secret": ARN}')
    found = {
        **environ,
        "GYMOPS_APP_DATABASE_HOST": str(at["host"]),
        "GYMOPS_APP_DATABASE_PORT": str(at["port"]),
    }
    if at.get("secret"):
        found["GYMOPS_APP_DATABASE_SECRET_ARN"] = str(at["secret"])
    return found


def _between(more: Mapping[str, Any]) -> Between:
    return Between(more.get("after"), more.get("upto"))
