"""The real app on a port of its own, in this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from gymops.app.main import create_app
from gymops.app.settings import AppSettings
from gymops.app.store.opening import open_store
from gymops.clock import Clock, SystemClock

# A page that is never left alone needs no connection kept open after it.
_UVICORN: dict[str, Any] = {"log_level": "error", "lifespan": "off", "ws": "none", "timeout_keep_alive": 1}


@contextmanager
def serving(folder: Path, *, clock: Clock | None = None, **settings: Any) -> Iterator[str]:
    """The app on a fresh SQLite file in this folder; its address."""
    clock = clock or SystemClock()
    store = open_store(str(folder / "gym.db"), user="default", clock=clock)
    app = create_app(store, AppSettings(environment="local", bind="127.0.0.1", **settings), clock=clock)
    server = uvicorn.Server(uvicorn.Config(app, **_UVICORN))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
            store.close()
