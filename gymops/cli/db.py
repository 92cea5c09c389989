"""``gymops db``: the embedded PostgreSQL."""

from __future__ import annotations

import os
from typing import Any

import click

from gymops.cli import output
from gymops.cli.context import settings
from gymops.clock import SystemClock
from gymops.errors import ServerError
from gymops.pg import embedded

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group()
def command() -> None:
    """The embedded PostgreSQL: a real server for this folder, without an installation.

    Its data, its log and its socket are private to you and live in ./.gymops/postgres. It listens on no
    network port and asks for no password.

    \b
    Examples:
      gymops db start
      psql "$(gymops db url)"
      gymops db stop
    """


@command.command()
@_as_json
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait until it answers.")
@click.pass_context
def start(ctx: click.Context, timeout: float, as_json: bool) -> None:
    """Start the server, or find that it runs; it goes on when this command ends.

    The first start makes the database `gymops`, its owner `gymops` and the restricted role `gymops_app`.

    \b
    --json: {"started": true if it did not run before, and the keys of `gymops db status --json`}

    \b
    Examples:
      gymops db start
      gymops db start --json
      gymops --home /var/tmp/trial db start
    """
    server = _server(ctx)
    started = embedded.start(server, clock=SystemClock(), timeout=timeout)
    found = _document(server, embedded.status(server))
    if as_json:
        output.document({"started": started, **found})
        return
    how = "started" if started else "runs already"
    output.text(f"PostgreSQL {found['version']} {how} (process {found['pid']}).")
    output.text(server.url())


@command.command()
@_as_json
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait before using force.")
@click.pass_context
def stop(ctx: click.Context, timeout: float, as_json: bool) -> None:
    """Stop the server; connections are ended, nothing that was committed is lost.

    It exits 0 too when nothing ran.

    \b
    --json: {"stopped": true if it ran before}

    \b
    Examples:
      gymops db stop
      gymops db stop --timeout 5
    """
    stopped = embedded.stop(_server(ctx), clock=SystemClock(), timeout=timeout)
    if as_json:
        output.document({"stopped": stopped})
        return
    output.text("PostgreSQL stopped." if stopped else "PostgreSQL did not run.")


@command.command()
@_as_json
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Say whether the server runs. It exits 0 either way; read the answer.

    \b
    --json: {"running": bool, "ready": bool (it answers and is out of recovery), "pid", "version",
             "data_dir", "socket_dir", "port", "log", "started_at" (UTC), "url"}
    pid, started_at and url are null when it does not run, version before the first start.

    \b
    Examples:
      gymops db status
      gymops db status --json
    """
    server = _server(ctx)
    found = _document(server, embedded.status(server))
    if as_json:
        output.document(found)
        return
    output.text(_state(found))
    for name, value in found.items():
        if value is not None and name not in {"running", "ready"}:
            output.text(f"  {name:<11} {value}")


@command.command()
@_as_json
@click.option("--app", is_flag=True, help="The restricted role gymops_app instead of the owner.")
@click.pass_context
def url(ctx: click.Context, app: bool, as_json: bool) -> None:
    """Print the running server's URL, for psql or any other client. It holds no secret.

    It exits 1 when the server does not run.

    \b
    --json: {"url", "user"}

    \b
    Examples:
      psql "$(gymops db url)"
      DATABASE_URL="$(gymops db url --app)" gymops serve
    """
    user = embedded.APP_ROLE if app else embedded.OWNER
    address = _running(ctx).url(user=user)
    if as_json:
        output.document({"url": address, "user": user})
        return
    output.text(address)


@command.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def shell(ctx: click.Context, args: tuple[str, ...]) -> None:
    """Open psql on the running server; ARGS go to psql as they are.

    The embedded psql knows no line editing; `psql "$(gymops db url)"` uses your own. It exits as psql
    does, and 1 when the server does not run.

    \b
    Examples:
      gymops db shell
      gymops db shell -- -c 'select count(*) from events'
      gymops db shell -- -U gymops_app
    """
    server = _running(ctx)
    # By the environment and not as an argument, so that -U, -d or a database's name among ARGS win.
    address = {
        "PGHOST": str(server.socket_dir), "PGPORT": str(server.port),
        "PGUSER": embedded.OWNER, "PGDATABASE": embedded.DATABASE,
    }  # fmt: skip
    misleading = {"PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE"}
    environ = {name: value for name, value in os.environ.items() if name not in misleading}
    psql = str(server.binaries / "psql")
    output.flush()
    os.execve(psql, [psql, *args], {**environ, **address})  # noqa: S606 - no shell is what is wanted


def _server(ctx: click.Context) -> embedded.Server:
    chosen = settings(ctx)
    return embedded.open_server(chosen.home, chosen.postgres_bin)


def _running(ctx: click.Context) -> embedded.Server:
    server = _server(ctx)
    if not embedded.status(server).running:
        raise ServerError("PostgreSQL does not run", hint="gymops db start")
    return server


def _document(server: embedded.Server, found: embedded.Status) -> dict[str, Any]:
    return {
        "running": found.running,
        "ready": found.ready,
        "pid": found.pid,
        "version": found.version,
        "data_dir": str(found.data_dir),
        "socket_dir": str(found.socket_dir),
        "port": found.port,
        "log": str(found.log),
        "started_at": found.started_at.isoformat() if found.started_at else None,
        "url": server.url() if found.running else None,
    }


def _state(found: dict[str, Any]) -> str:
    if not found["running"]:
        return "stopped"
    return "running" if found["ready"] else "running, but it does not answer yet"
