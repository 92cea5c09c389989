"""Self-drills: a fault in a restored copy, which its proof must find."""

from __future__ import annotations

from collections.abc import Mapping

from gymops.backup import isolated
from gymops.clock import Clock
from gymops.errors import Unverified
from gymops.pg import embedded
from gymops.pg.connection import Connection, connect_plain, translated
from gymops.pg.conninfo import parse
from gymops.pg.embedded import Server

_SUPER = "SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY oid LIMIT 1"
_LONGEST = "SELECT user_id, max(position) FROM events GROUP BY user_id ORDER BY 2 DESC, 1 LIMIT 1"

_CHANGED = """
UPDATE events SET payload = payload || jsonb_build_object('drill', 1)
WHERE user_id = %(user)s AND position = %(at)s
"""
_MISSING = "DELETE FROM events WHERE user_id = %(user)s AND position = %(last)s"
_LATER = """
UPDATE events SET "timestamp" = "timestamp" + interval '1 microsecond'
WHERE user_id = %(user)s AND position = %(at)s
"""
KINDS: Mapping[str, str | None] = {
    "changed-row": _CHANGED,
    "missing-event": _MISSING,
    "later-event": _LATER,
    "damaged-page": None,
}
"""What a drill can do to a copy."""


def spoil(server: Server, url: str, how: str, clock: Clock) -> str:
    """Do one of ``KINDS`` to a restored copy; what was done, in words.

    Raises:
        Unverified: there is nothing to spoil.
    """
    statement = KINDS[how]
    database = parse(url).get("dbname", embedded.DATABASE)
    with translated(), connect_plain(url) as connection:
        row = connection.execute(_SUPER).fetchone()
    mighty = server.url(database, row[0] if row else embedded.OWNER)
    with translated(), connect_plain(mighty) as connection:
        found = connection.execute(_LONGEST).fetchone() if _has_events(connection) else None
        if found is None:
            raise Unverified(
                "there is no event to spoil in a drill", hint="run the drill once there are some"
            )
        user, last = found
        at = (last + 1) // 2
        if statement is not None:
            connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
            connection.execute(statement.encode(), {"user": user, "at": at, "last": last})
            return f"{how}: user {user!r}, position {last if statement is _MISSING else at}"
        connection.execute("CHECKPOINT")
        file = connection.execute("SELECT pg_relation_filepath('events')").fetchone()
    if file is None:
        raise AssertionError("a query without a row")
    embedded.stop(server, clock=clock)
    with (server.data / file[0]).open("r+b") as page:
        page.seek(8192 - 24)
        there = page.read(1)
        page.seek(8192 - 24)
        page.write(bytes([there[0] ^ 1]))
    isolated.launch(server, clock, tied=True)
    return f"{how}: one bit of the first page of events"


def _has_events(connection: Connection) -> bool:
    row = connection.execute("SELECT to_regclass('events') IS NOT NULL").fetchone()
    return bool(row and row[0])
