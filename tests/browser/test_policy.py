"""What the page may load, and what its requests carry. Every other test here watches for violations, too."""

from __future__ import annotations

import hashlib
import re
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import gymops.app.web
from tests.browser.api import Api
from tests.browser.chromium import at_rest
from tests.browser.test_voice import say
from tests.browser.test_workout import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

STATIC = Path(gymops.app.web.__file__).parent / "static"

INSECURE = """
Object.defineProperty(Crypto.prototype, "subtle", { value: undefined });
Object.defineProperty(Crypto.prototype, "randomUUID", { value: undefined });
"""


def directives(policy: str) -> dict[str, set[str]]:
    return {name: set(values) for name, *values in (part.split() for part in policy.split(";"))}


def test_the_policy_lets_nothing_in_that_is_not_ours(api: Api) -> None:
    with urllib.request.urlopen(f"{api.url}/", timeout=10) as response:  # noqa: S310
        sent, html = response.headers["content-security-policy"], response.read().decode()
    in_page = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert in_page
    for policy in (directives(sent), directives(in_page[1])):
        assert policy["default-src"] == {"'none'"}
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == {"'self'"}
        assert policy["base-uri"] == {"'none'"}
    assert directives(sent)["frame-ancestors"] == {"'none'"}


def test_the_policy_really_holds(api: Api, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(api.url)
    page.get_by_role("button", name="Start an empty workout").wait_for()
    violated = page.evaluate(
        """() => new Promise((resolve) => {
          addEventListener("securitypolicyviolation", (event) => resolve(event.violatedDirective));
          const script = document.createElement("script");
          script.textContent = "window.inline = true";
          document.body.append(script);
        })"""
    )
    assert violated == "script-src-elem"
    assert page.evaluate("window.inline === undefined")
    page.context.close()


def test_the_page_names_its_files_relative_to_itself_and_nothing_elsewhere() -> None:
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    named = re.findall(r'(?:src|href)="([^"#]+)"', html)
    assert len(named) >= 7
    assert [name for name in named if re.match(r"[a-z]+:|//", name)] == []
    assert [name for name in named if name.startswith("/")] == ["/api/export"]
    assert [
        name for name in named if not name.startswith("/") and not (STATIC / name.split("?")[0]).is_file()
    ] == []
    assert re.findall(r'\s(?:style|on\w+)="', html) == []
    assert "<style" not in html
    assert re.findall(r"<script(?![^>]*\ssrc=)", html) == []


def test_every_request_with_a_body_carries_its_digest(api: Api, visit: Visit) -> None:
    assert_digests(api, visit())


def test_the_digest_is_right_without_the_browsers_own(api: Api, visit: Visit) -> None:
    """A page opened by plain http from another machine has no ``crypto.subtle`` and no ``randomUUID``."""
    assert_digests(api, visit(script=INSECURE))


ADD = "(ids) => Promise.all(ids.map((id) => Alpine.store('training').add(id)))"
LENGTHS = range(1, 65, 3)  # of something in the body: all around the ends of the digest's blocks


def assert_digests(api: Api, page: Page) -> None:
    posts: list[Request] = []
    page.on("request", lambda request: posts.append(request) if request.method == "POST" else None)
    say(page, "bänch 💪 " + "x" * 200)
    page.locator("#message").filter(has_not_text="…").filter(has_text="a").wait_for()
    page.get_by_role("button", name="Start an empty workout").click()
    page.get_by_role("button", name="Finish", exact=True).wait_for()
    page.evaluate(ADD, ["z" * length for length in LENGTHS])
    at_rest(page)
    assert len(posts) == 2 + len(LENGTHS)
    for request in posts:
        body = request.post_data_buffer
        assert body
        assert request.headers["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()
    assert api.current
    assert len(api.current["exercises"]) == len(LENGTHS)
