"""Faults in a copy of the log, put in on purpose: what a proof must find. Never in what anybody needs."""

from __future__ import annotations

from collections.abc import Mapping

from gymops.errors import Unverified
from gymops.pg.connection import Connection

_THERE = "SELECT to_regclass('events') IS NOT NULL"
_LONGEST = "SELECT user_id, max(position) FROM events GROUP BY user_id ORDER BY 2 DESC, 1 LIMIT 1"

CHANGED, MISSING, LATER = "changed-row", "missing-event", "later-event"
STATEMENTS: Mapping[str, str] = {
    CHANGED: """
UPDATE events SET payload = payload || jsonb_build_object('drill', 1)
WHERE user_id = %(user)s AND position = %(at)s
""",
    MISSING: "DELETE FROM events WHERE user_id = %(user)s AND position = %(at)s",
    LATER: """
UPDATE events SET "timestamp" = "timestamp" + interval '1 microsecond'
WHERE user_id = %(user)s AND position = %(at)s
""",
}
"""What SQL can do to it."""


def longest(connection: Connection) -> tuple[str, int]:
    """The user with the most events, and how many.

    Raises:
        Unverified: there is nothing to spoil.
    """
    row = connection.execute(_THERE).fetchone()
    found = connection.execute(_LONGEST).fetchone() if row and row[0] else None
    if found is None:
        raise Unverified("there is no event to spoil in a drill", hint="run the drill once there are some")
    return found[0], found[1]


def spoil(connection: Connection, how: str) -> str:
    """Do one of ``STATEMENTS`` to one event, as the table's owner; what was done, in words. It is the first
    of its user: the last ones may have come after the seal, and nothing is held to those.

    Raises:
        Unverified: there is nothing to spoil, or it did not come to it.
    """
    (user, _), at = longest(connection), 1
    with connection.transaction():
        connection.execute("ALTER TABLE events DISABLE TRIGGER USER")
        done = connection.execute(STATEMENTS[how].encode(), {"user": user, "at": at})
        if done.rowcount != 1:
            raise Unverified(f"{how}: user {user!r} has no event {at}", hint="run the drill again")
        connection.execute("ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only")
    return f"{how}: user {user!r}, position {at}"
