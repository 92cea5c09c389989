"""Who stands in the way: the sessions another one waits for, seen while it waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from gymops.pg.connection import Connection

_INTERVAL = 0.1
_QUERY = """
SELECT pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, 'unknown'),
       extract(epoch FROM clock_timestamp() - coalesce(xact_start, backend_start))::bigint
FROM pg_catalog.pg_stat_activity WHERE pid = ANY (pg_catalog.pg_blocking_pids(%s))
ORDER BY xact_start
"""


@contextmanager
def watched(backend: int, observer: Connection) -> Iterator[Callable[[], list[str]]]:
    """Watch a backend from another session; gives a function naming those it last waited for.

    They have to be seen during the wait: once it has timed out nobody blocks it any more.
    """
    seen: list[str] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(_INTERVAL):
            try:
                rows = observer.execute(_QUERY, [backend]).fetchall()
            except psycopg.Error:
                return  # who blocks stays unknown; the observer's own failure shows elsewhere
            if rows:
                seen[:] = [_told(*row) for row in rows]

    thread = threading.Thread(target=look, name="gymops-blockers", daemon=True)
    thread.start()
    try:
        yield lambda: list(seen)
    finally:
        stop.set()
        thread.join()


def _told(pid: int, user: str, application: str, state: str, seconds: int | None) -> str:
    program = application or "an unnamed program"
    since = f", {seconds} s in its transaction" if seconds is not None else ""
    return f"backend {pid} ({program}, database user {user}, {state}{since})"
