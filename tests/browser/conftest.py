"""A fresh app on a fresh SQLite file for each test, and a browser to open it in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import chromium
from tests.browser.api import Api
from tests.browser.server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PASSCODE = "correct horse battery"


# Not for the whole session: while it lives, playwright's event loop counts as running in this thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = chromium.executable()
    if path is None:
        pytest.skip(f"no Chromium is installed (looked for {', '.join(chromium.NAMES)})")
    pytest.importorskip("playwright", reason="playwright is not installed")
    with chromium.launched(path) as browser:
        yield browser


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving(tmp_path) as url:
        yield Api(url)


@pytest.fixture
def visit(browser: Browser, api: Api) -> Iterator[Callable[..., Page]]:
    """``visit("#/history", color_scheme="dark")`` opens the page; see ``chromium.visit``."""
    with ExitStack() as stack:

        def opened(where: str = "", **options: Any) -> Page:
            page = stack.enter_context(chromium.visit(browser, f"{api.url}/{where}", **options))
            api.pages.append(page)
            # A click on what is drawn anew in the same moment, with what the server knows, is lost.
            chromium.at_rest(page)
            return page

        yield opened


@pytest.fixture
def passcode() -> str:
    return PASSCODE


@pytest.fixture
def guarded(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """The page of an app that asks for a passcode."""
    with ExitStack() as stack:
        url = stack.enter_context(serving(tmp_path, passcode=PASSCODE, session_secret="s" * 40))
        yield lambda **options: stack.enter_context(chromium.visit(browser, f"{url}/", **options))
