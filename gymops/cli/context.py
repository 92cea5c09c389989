"""The composition root: settings become adapters here and nowhere else."""

from __future__ import annotations

from pathlib import Path

import click

from gymops import config
from gymops.cli import output
from gymops.clock import SystemClock


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
