"""``gymops serve``."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING

import click

from gymops.app.settings import VARIABLES, AppSettings, is_loopback
from gymops.cli import context, output
from gymops.clock import SystemClock
from gymops.errors import GymopsError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gymops.app.routes.services import Understand
    from gymops.app.store import Store

_EPILOG = """\b
Examples:
  gymops serve
  gymops serve --user 'auth0|000001'
  gymops serve --database workspace/ --port 8080
  gymops serve --database env:DATABASE_URL --host 0.0.0.0

\b
Without a passcode or a token's issuer it listens on loopback only. Environment variables:
{variables}

\b
--json prints one line with the keys url, user, database, once it listens. Ctrl-C ends it with 130,
SIGTERM with 0; both let requests finish for 5 seconds."""


class CannotListen(GymopsError):
    """The address is taken, or is none of this machine's."""

    code = "cannot_listen"


@click.command(
    "serve",
    epilog=_EPILOG.format(variables="\n".join(f"  {name}\n      {what}" for name, what in VARIABLES.items())),
)
@click.option(
    "--database",
    metavar="URL|FILE|DIR",
    default="env:local",
    help="A PostgreSQL URL, env:NAME, a SQLite file, or a workspace DIR/USER/gym.db"
    " (default: the embedded server, started when it is not running).",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 picks one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--user", metavar="ID", help="Whose workouts these are (default: default).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line on stdout.")
@click.pass_context
def command(ctx: click.Context, database: str, port: int, host: str, user: str | None, as_json: bool) -> None:
    """Run the workout tracker Titan Trakr.

    The page and the API are at one address. What the projections lack is folded first; until then
    /api/ready says so.
    """
    settings = context.settings(ctx)
    app_settings = _app_settings(settings.environ, host, user)
    with (
        closing(_listen(host, port)) as listener,
        closing(context.open_store(settings, database, app_settings.user)) as store,
    ):
        from gymops.app.main import create_app

        app = create_app(store, app_settings, clock=SystemClock(), llm=_llm(app_settings))
        _announce(_url(listener), app_settings.user, database, as_json)
        with _building(store):
            status = _run(app, listener)
    ctx.exit(status)


def _app_settings(environ: Mapping[str, str], host: str, user: str | None) -> AppSettings:
    given = dict(environ)
    if user is not None:
        given["GYMOPS_APP_USER"] = user
    if is_loopback(host):
        given.setdefault("GYMOPS_APP_ENVIRONMENT", "local")
    return AppSettings.from_environment(given, bind=host)


def _listen(host: str, port: int) -> socket.socket:
    """Take the address at once: an answer that it is taken should not wait for a database."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotListen(
                f"port {port} of {host} is taken", hint="gymops serve --port 0 picks a free one"
            ) from None
        raise CannotListen(
            f"cannot listen on {host}: {error.strerror}", hint="--host 127.0.0.1, and a --port above 1023"
        ) from None


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announce(url: str, user: str, database: str, as_json: bool) -> None:
    from gymops.pg.conninfo import redact

    place = database if database.startswith("env:") or not context.is_database(database) else redact(database)
    if as_json:
        output.text(json.dumps({"url": url, "user": user, "database": place}))
    else:
        output.text(f"Serving {url} for {user} on {place}; Ctrl-C ends it")


def _llm(settings: AppSettings) -> Understand | None:
    """Who is asked what the grammar misses; nobody without a key."""
    if not settings.llm_key or not settings.llm_provider:
        return None
    from gymops.app.voice.llm import ask

    return partial(ask, provider=settings.llm_provider, key=settings.llm_key)


@contextmanager
def _building(store: Store) -> Iterator[None]:
    """Fold what is missing beside the server; what a stop leaves undone, the next start goes on with."""
    from gymops.app.build import build_all

    stop = Event()
    thread = Thread(target=build_all, args=(store,), kwargs={"tell": output.note, "stop": stop}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=2)


def _run(app: FastAPI, listener: socket.socket) -> int:
    """Serve until a signal; the exit code. uvicorn ends what it does and then raises the signal again."""
    import uvicorn

    _log_to_stderr()
    signal.signal(signal.SIGTERM, _terminate)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
    )
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return 130
    except SystemExit:
        return 0
    finally:
        output.note("stopped")
    return 0


def _terminate(number: int, frame: object) -> None:  # noqa: ARG001
    raise SystemExit(0)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


class _Lines(logging.Formatter):
    """One line each; where it broke only when asked for."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{record.levelname.lower()}: {record.getMessage()}"
        if not record.exc_info or not record.exc_info[0]:
            return line
        if os.environ.get("GYMOPS_DEBUG"):
            return f"{line}\n{self.formatException(record.exc_info)}"
        return f"{line} ({record.exc_info[0].__name__}; GYMOPS_DEBUG=1 shows where)"
