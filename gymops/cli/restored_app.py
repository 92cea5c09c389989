"""The app, run on a restored database and read through: as a process that ends with us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gymops.clock import SystemClock, ticks
from gymops.errors import AppFailed
from gymops.pg import launch

if TYPE_CHECKING:
    from gymops.backup.port import Restored

_PATIENCE = 120.0


def read(restored: Restored) -> str:
    """Start the app on it, wait until it is ready, and read one user's history; what it read.

    Raises:
        AppFailed: it does not.
    """
    from gymops.app.reading import whose

    if restored.url is None:
        raise AppFailed("nobody outside of its network reaches it", hint="leave --with-app out")
    user = whose(restored.url)
    arguments = ["serve", "--database", restored.url, "--port", "0", "--user", user, "--json"]
    program = [sys.executable, "-m", "gymops", *arguments]
    if sys.platform == "linux":  # it ends with us, also if we are killed
        tied = [launch.__file__, str(Path.cwd()), "self", str(os.getpid())]
        program = [sys.executable, "-I", "-S", *tied, *program]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GYMOPS_APP_")}
    with subprocess.Popen(
        program, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        try:
            return _asked(process, restored.url, user)
        finally:
            process.kill()


def _asked(process: subprocess.Popen[str], url: str, user: str) -> str:
    from gymops.app.reading import through

    line = process.stdout.readline() if process.stdout else ""
    if not line.startswith("{") or "url" not in (said := json.loads(line)):
        why = line.strip() or (process.stderr.read().strip() if process.stderr else "")
        raise AppFailed(f"it does not start: {why.splitlines()[-1] if why else 'it says nothing'}")
    address = said["url"]
    for _ in ticks(SystemClock(), timeout=_PATIENCE, interval=0.1):
        if _get(f"{address}/api/ready")[0] == 200:
            break
    else:
        raise AppFailed(f"it is not ready after {_PATIENCE:.0f} s")
    return through(lambda path: _get(f"{address}{path}"), url, user)


def _get(url: str) -> tuple[int, bytes]:
    import http.client
    from urllib.parse import urlsplit

    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_PATIENCE)
    try:
        connection.request("GET", place.path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise AppFailed(f"GET {place.path} gets no answer: {error}") from None
    finally:
        connection.close()
