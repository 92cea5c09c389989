"""A fresh app on a fresh SQLite file for each test, and a browser to open it in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from gymops.app.main import create_app
from gymops.app.settings import AppSettings
from gymops.app.store.opening import open_store
from gymops.clock import SystemClock
from tests.browser import chromium
from tests.browser.api import Api

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PASSCODE = "correct horse battery"

# A page that is never left alone needs no connection kept open after it.
_UVICORN: dict[str, Any] = {"log_level": "error", "lifespan": "off", "ws": "none", "timeout_keep_alive": 1}


# Not for the whole session: while it lives, playwright's event loop counts as running in this thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = chromium.executable()
    if path is None:
        pytest.skip(f"no Chromium is installed (looked for {', '.join(chromium.NAMES)})")
    pytest.importorskip("playwright", reason="playwright is not installed")
    with chromium.launched(path) as browser:
        yield browser


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[str]:
    """The app on a port of its own; its address."""
    clock = SystemClock()
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
            thread.join(10)
            store.close()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving(tmp_path) as url:
        yield Api(url)


@pytest.fixture
def visit(browser: Browser, api: Api) -> Iterator[Callable[..., Page]]:
    """``visit("#/history", color_scheme="dark")`` opens the page; see ``chromium.visit``."""
    with ExitStack() as stack:
        yield lambda where="", **options: stack.enter_context(
            chromium.visit(browser, f"{api.url}/{where}", **options)
        )


@pytest.fixture
def passcode() -> str:
    return PASSCODE


@pytest.fixture
def guarded(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """The page of an app that asks for a passcode."""
    with ExitStack() as stack:
        url = stack.enter_context(serving(tmp_path, passcode=PASSCODE, session_secret="s" * 40))
        yield lambda **options: stack.enter_context(chromium.visit(browser, f"{url}/", **options))
