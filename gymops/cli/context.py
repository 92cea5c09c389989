"""The composition root: settings become adapters here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gymops import config
from gymops.cli import output
from gymops.clock import SystemClock
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.eventlog.postgres import PostgresLog
    from gymops.eventlog.workspace import SqliteLog


def settings(ctx: click.Context) -> config.Settings:
    """The settings of this run."""
    flags = ctx.find_root().obj or {}
    file = flags.get("config")
    return config.load(Path(file) if file else None, home=flags.get("home"))


def target_url(settings: config.Settings, to: str | None) -> str:
    """The database a command works on: ``--to`` (``env:NAME`` resolved), or the embedded server's.

    The embedded server is started when it is not running, and left running. The URL may hold a
    password and is never printed; ``gymops.pg.connection.redact`` shows it without.

    Raises:
        ConfigError: ``env:NAME`` is not set.
        ServerError: the embedded server cannot be started.
    """
    if to:
        return config.resolve(settings, to)
    from gymops.pg import embedded

    server = embedded.open_server(settings.home, settings.postgres_bin)
    if embedded.start(server, clock=SystemClock()):
        output.note("started the embedded PostgreSQL; gymops db stop ends it")
    return server.url()


def open_source(settings: config.Settings, source: str, user: str) -> SqliteLog:
    """The SQLite file or workspace directory a migration reads."""
    from gymops.eventlog.workspace import SqliteLog

    if is_database(source):
        raise ConfigError(f"{source}: a SQLite file or a directory is expected here, not a database URL")
    return SqliteLog(Path(source), user, settings.mapping)


def open_log(settings: config.Settings, place: str, user: str) -> SqliteLog | PostgresLog:
    """Any event log: a SQLite file, a workspace directory, a PostgreSQL URL, ``env:NAME``.

    ``env:local`` is the embedded server, unless gymops.toml says otherwise.
    """
    from gymops.eventlog.postgres import PostgresLog

    if place == "env:local" and "local" not in settings.databases:
        return PostgresLog(target_url(settings, None), user)
    if is_database(place):
        return PostgresLog(config.resolve(settings, place), user)
    return open_source(settings, place, user)


def open_users(url: str, users: list[str]) -> PostgresLog:
    """The events of some users of a database."""
    from gymops.eventlog.postgres import PostgresLog

    return PostgresLog(url, only=users)


def is_database(place: str) -> bool:
    """Whether a place is a PostgreSQL database and not a path."""
    return place.startswith(("env:", "postgresql://", "postgres://"))
