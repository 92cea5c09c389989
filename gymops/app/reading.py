"""Reading a restored log through the app: whether it works on it, and gives every event of a user back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from threading import Event, Timer
from typing import Any

from gymops.app.build import build_all
from gymops.app.main import create_app
from gymops.app.settings import AppSettings
from gymops.app.store.postgres import PostgresStore
from gymops.clock import Clock
from gymops.errors import AppFailed, Unverified
from gymops.eventlog.postgres import PostgresLog

Get = Callable[[str], tuple[int, bytes]]
"""Asks for a path; status and body."""
_FOLDING = 600.0
"""Seconds for what is not folded yet."""
_HERE = "127.0.0.1"


def read(url: str, clock: Clock) -> str:
    """Run the app in this process on a database that was restored, and read through it; what it read.

    It answers nobody but us, asks for no passcode, and folds what is not folded.

    Raises:
        AppFailed: it does not work on it.
        Unverified: it takes too long to fold what is not folded.
    """
    user = whose(url)
    settings = AppSettings.from_environment(
        {"GYMOPS_APP_USER": user, "GYMOPS_APP_ENVIRONMENT": "local"}, bind=_HERE
    )
    stop = Event()
    timer = Timer(_FOLDING, stop.set)
    timer.start()
    try:
        with closing(PostgresStore(lambda *, refresh=False: url, clock=clock)) as store:  # noqa: ARG005
            build_all(store, tell=_untold, stop=stop)
            if stop.is_set():
                raise Unverified(
                    f"what is not folded takes longer than {_FOLDING:.0f} s",
                    hint="restore it (gymops restore), and let an app fold it",
                )
            app = create_app(store, settings, clock=clock)
            return through(lambda path: asyncio.run(_ask(app, path)), url, user)
    finally:
        timer.cancel()


def whose(url: str) -> str:
    """The first of the users in a log."""
    with closing(PostgresLog(url)) as log:
        return min(log.counts(), default="default")


def through(get: Get, url: str, user: str) -> str:
    """Ask an app for a user's history, and for the export, which must be the log; what it said.

    Raises:
        AppFailed: it is not ready, does not answer, or says something else.
    """
    ready = _of(get, "/api/ready")
    if not ready.get("ready"):
        raise AppFailed(f"it is not ready: {ready}")
    workouts = _items(_of(get, "/api/history"))
    status, body = get("/api/export")
    if status != 200:
        raise AppFailed(f"GET /api/export answers {status}")
    told = [(one["event_id"], one["event_type"]) for one in map(json.loads, body.splitlines())]
    with closing(PostgresLog(url)) as log:
        there = [(str(one.event_id), one.event_type) for one in log.events(user)]
    if told != there:
        at = next((n for n, pair in enumerate(zip(told, there, strict=False), 1) if pair[0] != pair[1]), 0)
        where = f"another one at position {at}" if at else f"{len(told)} events of {len(there)}"
        raise AppFailed(f"GET /api/export has {where} of {user!r}")
    return f"healthy; the history of {user} lists {len(workouts)} workouts, its export all {len(told)} events"


def _of(get: Get, path: str) -> Any:
    status, body = get(path)
    if status != 200:
        raise AppFailed(f"GET {path} answers {status}: {body[:200].decode(errors='replace')}")
    try:
        return json.loads(body)
    except ValueError:
        raise AppFailed(f"GET {path} answers no JSON") from None


def _items(body: Any) -> list[Any]:
    if isinstance(body, list):
        return body
    return next((value for value in body.values() if isinstance(value, list)), [])


async def _ask(app: Any, path: str) -> tuple[int, bytes]:
    """As a server asks it."""
    status, body = 0, b""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [(b"host", _HERE.encode())],
        "client": (_HERE, 1), "server": (_HERE, 80),
    }  # fmt: skip
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()  # it stays connected until it has its answer
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, body
        status = message.get("status", status)
        body += message.get("body", b"")

    await app(scope, receive, send)
    return status, body


def _untold(progress: str) -> None:
    """It names users."""
