"""Which store a database's name stands for."""

from __future__ import annotations

import re
from pathlib import Path

from gymops.app.store.base import Store
from gymops.clock import Clock

_URL = re.compile(r"postgres(?:ql)?://|\w+=")


def open_store(database: str, *, user: str, clock: Clock) -> Store:
    """A Postgres by its URL, a workspace directory, or one SQLite file that belongs to ``user``.

    A name with no such file or directory yet becomes a file if it ends in .db, .sqlite or .sqlite3.
    """
    if _URL.match(database):
        from gymops.app.store.postgres import PostgresStore

        return PostgresStore(lambda **_: database, clock=clock)
    from gymops.app.store.sqlite import SqliteStore

    path = Path(database)
    is_file = path.is_file() or (not path.exists() and path.suffix in (".db", ".sqlite", ".sqlite3"))
    return SqliteStore(path, clock=clock, owner=user if is_file else None)
