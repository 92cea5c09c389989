"""The edge to Alembic: which revisions there are, and running one on a session of ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from gymops import resources
from gymops.errors import SchemaError
from gymops.pg.connection import Connection
from gymops.pg.failures import failure

if TYPE_CHECKING:
    import sqlalchemy
    from alembic.config import Config

LOCK_TIMEOUT = "5s"
"""How long a revision waits for a lock before it gives way."""


@dataclass(frozen=True)
class Revision:
    """One step of the schema; ``phase`` is ``expand`` (old code goes on working) or ``contract``."""

    id: str
    phase: str
    message: str


def history(folder: Path | None = None) -> list[Revision]:
    """All revisions, oldest first: ours, or those of a folder.

    Raises:
        SchemaError: the folder has none, or one of them does not say what it does.
    """
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        scripts = list(ScriptDirectory.from_config(_config(folder)).walk_revisions())
    except CommandError as error:
        raise SchemaError(f"{folder or 'migrations'}: {error}", hint="alembic history tells more") from None
    for script in scripts:
        if not hasattr(script.module, "phase"):
            raise SchemaError(
                f"revision {script.revision} does not say whether it adds or takes away",
                hint='phase = "expand" in it, or "contract"',
            )
    return [
        Revision(script.revision, script.module.phase, script.doc.rstrip(".")) for script in reversed(scripts)
    ]


def run(connection: Connection, revision: str) -> None:
    """Apply one revision and its version row in one transaction; takes over the session and closes it.

    Raises:
        DatabaseError: the revision failed and left no trace.
    """
    from alembic import command
    from sqlalchemy.exc import DBAPIError

    config = _config()
    try:
        with _sqlalchemy(connection) as config.attributes["connection"]:
            command.upgrade(config, revision)
    except DBAPIError as error:
        raise _translated(error) from error


def undo(connection: Connection, to: str) -> None:
    """Go back to revision ``to`` (or ``base``), dropping what came after; for development only."""
    from alembic import command

    config = _config()
    with _sqlalchemy(connection) as config.attributes["connection"]:
        command.downgrade(config, to)


def offline_sql(revision: str, folder: Path | None = None) -> str:
    """The SQL of one revision, ours or of a folder, as it would run."""
    from alembic import command

    ids = [known.id for known in history(folder)]
    before = ["base", *ids][ids.index(revision)]
    buffer = StringIO()
    command.upgrade(_config(folder, buffer), f"{before}:{revision}", sql=True)
    return buffer.getvalue()


def _config(folder: Path | None = None, output: StringIO | None = None) -> Config:
    from alembic.config import Config

    # Alembic talks through logging; without a handler of its own Python prints warnings to stderr.
    logging.getLogger("alembic").addHandler(logging.NullHandler())
    config = Config(output_buffer=output)
    # A percent sign in the path is an interpolation to Alembic.
    where = resources.path("migrations") if folder is None else folder
    config.set_main_option("script_location", str(where).replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", "postgresql+psycopg://")  # for others' env.py, to print SQL
    config.attributes["lock_timeout"] = LOCK_TIMEOUT
    return config


@contextmanager
def _sqlalchemy(connection: Connection) -> Iterator[sqlalchemy.Connection]:
    """Our session under SQLAlchemy's name: no URL, and no password in one, is ever taken apart."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connection, poolclass=NullPool, use_native_hstore=False
    )
    try:
        with engine.connect() as wrapped:
            yield wrapped
    finally:
        engine.dispose()
        connection.close()


def _translated(error: Exception) -> Exception:
    import psycopg

    original = getattr(error, "orig", None)
    return failure(original) if isinstance(original, psycopg.Error) else error
