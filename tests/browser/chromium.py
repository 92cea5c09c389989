"""The system's Chromium, and a page that tells on itself: policy violations, errors, requests elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--headless", "--no-sandbox", "--disable-background-networking")

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 860}

_LISTEN = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}`));
"""

# A request is over when what it set off has been done; setTimeout comes after all of that.
_COUNT = """
window.underWay = 0;
{
  const { fetch } = window, { text } = Response.prototype, over = () => setTimeout(() => underWay--);
  window.fetch = (...asked) => {
    underWay++;
    const answer = fetch(...asked);
    answer.catch(over);
    return answer;
  };
  Response.prototype.text = function () { return text.call(this).finally(over); };
}
"""

_AT_REST = """async () => {
  await new Promise((resolve) => setTimeout(resolve)); // what a click begins only after a dialog has closed
  const { stage, outbox } = Alpine.store("page");
  const told = outbox.failing || stage === "signed-out"; // what waits is shown as not sent
  return !underWay && !outbox.running && stage !== "loading" && (told || !outbox.entries.length);
}"""

PATIENCE = 30
"""Seconds that anything may take on a busy machine."""


def executable() -> str | None:
    """Where Chromium is, if it is anywhere."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A page, and what it did that no page of ours may do."""

    page: Page
    host: str
    sent: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def route(self, route: Route) -> None:
        if urlsplit(route.request.url).netloc == self.host:
            route.fallback()
        else:
            self.foreign.append(route.request.url)
            route.abort()

    def request(self, request: Request) -> None:
        self.sent.append(request.url)

    def console(self, message: ConsoleMessage) -> None:
        # Chromium writes a line for every answer of 400 and more; the tests look at those themselves.
        expected = message.text.startswith("Failed to load resource")
        if message.type in {"error", "warning"} and not expected:
            self.complaints.append(message.text)

    def check(self) -> None:
        violations = self.page.evaluate("window.violations ?? []")
        assert violations == []
        assert self.complaints == []
        assert self.foreign == []
        assert self.sent


def until(page: Page, condition: Callable[[], object]) -> None:
    """Wait for something that the page cannot be asked in a locator's words.

    Not ``wait_for_function``: it evaluates text inside the page, which the policy forbids. Not ``sleep``: the
    page's requests are answered only while playwright waits.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it did not come to that in {PATIENCE} seconds"
        page.wait_for_timeout(20)


def at_rest(page: Page) -> None:
    """Wait until the page has nothing more to do by itself.

    It shows a change before the server has it, and goes on reading after that. At rest, all that it wrote is
    either answered or told as not sent, and all that it asked for is there.
    """
    until(page, lambda: page.evaluate(_AT_REST))


@contextmanager
def visit(browser: Browser, url: str, *, script: str = "", **options: Any) -> Iterator[Page]:
    """Open the page; at the end nothing may have been violated, thrown or asked of another host."""
    context: BrowserContext = browser.new_context(**{"viewport": PHONE, "color_scheme": "light", **options})
    context.set_default_timeout(PATIENCE * 1000)
    try:
        context.add_init_script(_LISTEN + _COUNT + script)
        page = context.new_page()
        watch = Visit(page, urlsplit(url).netloc)
        context.route("**/*", watch.route)
        page.on("request", watch.request)
        page.on("console", watch.console)
        page.on("pageerror", lambda error: watch.complaints.append(str(error)))
        page.goto(url)
        yield page
        watch.check()
    finally:
        context.close()
