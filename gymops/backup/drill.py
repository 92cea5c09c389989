"""Self-drills: a fault in a restored copy, which its proof must find."""

from __future__ import annotations

from gymops.backup import isolated
from gymops.clock import Clock
from gymops.eventlog import spoiling
from gymops.pg import embedded
from gymops.pg.connection import connect_plain, translated
from gymops.pg.conninfo import parse
from gymops.pg.embedded import Server

_SUPER = "SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY oid LIMIT 1"
KINDS = (*spoiling.STATEMENTS, "damaged-page")
"""What a drill can do to a copy."""


def spoil(server: Server, url: str, how: str, clock: Clock) -> str:
    """Do one of ``KINDS`` to a restored copy; what was done, in words.

    Raises:
        Unverified: there is nothing to spoil.
    """
    database = parse(url).get("dbname", embedded.DATABASE)
    with translated(), connect_plain(url) as connection:
        row = connection.execute(_SUPER).fetchone()
    mighty = server.url(database, row[0] if row else embedded.OWNER)
    with translated(), connect_plain(mighty) as connection:
        if how in spoiling.STATEMENTS:
            return spoiling.spoil(connection, how)
        spoiling.longest(connection)
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
