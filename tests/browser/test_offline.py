# ruff: noqa: RUF001 - the page writes the sign of multiplication, not the letter
"""Nothing that was entered is lost, and nothing is written twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.api import Api
from tests.browser.chromium import at_rest, until
from tests.browser.test_workout import Visit, expect_text, log_set

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

STOP_TRYING = """() => {
  const { outbox } = Alpine.store("page");
  clearTimeout(outbox.timer);
  return !outbox.running;
}"""


class Cut:
    """A connection that fails while it is cut; ``after`` the server has taken the request, or before.

    With an ``answer``, that is what comes back.
    """

    def __init__(self, page: Page, *, after: bool = False, answer: dict[str, Any] | None = None) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.broken = True
        self._page, self._after, self._answer = page, after, answer
        at_rest(page)
        page.route("**/api/events", self._route)

    def mend(self) -> None:
        """The connection is back, and the page, which tries now and then, has not found out."""
        self._page.locator("#unsent").wait_for()
        until(self._page, lambda: self._page.evaluate(STOP_TRYING))
        self.broken = False

    def _route(self, route: Route) -> None:
        self.bodies.append(json.loads(route.request.post_data or ""))
        if not self.broken:
            route.fallback()
            return
        if self._after:
            route.fetch()
        if self._answer:
            route.fulfill(**self._answer)
        else:
            route.abort()

    @property
    def ids(self) -> set[str]:
        return {body["event_id"] for body in self.bodies}


def unsent(page: Page) -> str | None:
    kept: str | None = page.evaluate("localStorage.getItem('gymops.outbox.default')")
    return kept


def test_a_set_that_could_not_be_sent_is_told_kept_and_sent_with_the_same_id(api: Api, visit: Visit) -> None:
    api.start(None, "squat")
    page = visit()
    page.get_by_role("heading", name="Squat").wait_for()
    cut = Cut(page)
    log_set(page)
    expect_text(page, "The server cannot be reached. It is kept here and sent again.")
    expect_text(page, "1 change is not sent yet.")
    page.get_by_role("button", name="Edit set 1 20 kg × 10, not sent yet").wait_for()
    assert api.sets == []
    cut.mend()
    page.get_by_role("button", name="Send now").click()
    page.locator("#unsent").wait_for(state="detached")
    page.get_by_role("button", name="Edit set 1 20 kg × 10", exact=True).wait_for()
    assert len(cut.bodies) >= 2
    assert len(cut.ids) == 1
    assert api.sets == [("squat", 20, 10, "kg")]
    assert api.current
    assert {one["event_id"] for one in api.current["exercises"][0]["sets"]} == cut.ids


def test_an_answer_lost_on_the_way_does_not_log_the_set_twice(api: Api, visit: Visit) -> None:
    api.start(None, "squat")
    page = visit()
    page.get_by_role("heading", name="Squat").wait_for()
    cut = Cut(page, after=True)
    log_set(page)
    expect_text(page, "1 change is not sent yet.")
    assert len(api.sets) == 1
    cut.mend()
    page.get_by_role("button", name="Send now").click()
    page.locator("#unsent").wait_for(state="detached")
    page.get_by_role("button", name="Log set 2").wait_for()
    assert len(cut.ids) == 1
    assert len(api.sets) == 1


def test_a_whole_workout_is_done_without_a_connection_and_sent_in_order(api: Api, visit: Visit) -> None:
    page = visit()
    page.get_by_role("button", name="Start an empty workout").wait_for()
    cut = Cut(page)
    page.get_by_role("button", name="Start an empty workout").click()
    page.get_by_role("button", name="Add exercise").click()
    page.get_by_label("Search exercises").fill("deadlift")
    page.get_by_label("Search exercises").press("Enter")
    log_set(page)
    log_set(page)
    page.get_by_role("button", name="Edit set 2").wait_for()
    expect_text(page, "4 changes are not sent yet.")
    assert api.current is None
    page.reload()
    page.get_by_role("button", name="Edit set 2").wait_for()
    cut.mend()
    page.get_by_role("button", name="Send now").click()
    page.locator("#unsent").wait_for(state="detached")
    assert api.sets == [("deadlift", 20, 10, "kg")] * 2
    assert unsent(page) == "[]"


def test_it_is_sent_again_by_itself(api: Api, visit: Visit) -> None:
    api.start(None, "squat")
    page = visit()
    page.get_by_role("heading", name="Squat").wait_for()
    cut = Cut(page)
    log_set(page)
    expect_text(page, "1 change is not sent yet.")
    cut.broken = False
    expect_text(page, "Sent.")
    assert len(api.sets) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200, "content_type": "text/html", "body": "<h1>Welcome to our gym's network</h1>"},
        {"status": 403, "content_type": "text/html", "body": "Request blocked"},
        {"status": 503, "content_type": "application/problem+json", "body": '{"code": "unavailable"}'},
    ],
    ids=["a login page", "a firewall", "a server that is not ready"],
)
def test_an_answer_that_is_not_the_apps_decides_nothing(
    api: Api, visit: Visit, answer: dict[str, Any]
) -> None:
    api.start(None, "squat")
    page = visit()
    page.get_by_role("heading", name="Squat").wait_for()
    cut = Cut(page, answer=answer)
    log_set(page)
    expect_text(page, "1 change is not sent yet.")
    cut.mend()
    page.get_by_role("button", name="Send now").click()
    page.locator("#unsent").wait_for(state="detached")
    assert len(api.sets) == 1
    assert unsent(page) == "[]"


def test_where_nothing_can_be_stored_the_page_still_works(api: Api, visit: Visit) -> None:
    api.start(None, "squat")
    full = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
    page = visit(script=full)
    page.get_by_role("heading", name="Squat").wait_for()
    cut = Cut(page)
    log_set(page)
    expect_text(page, "1 change is not sent yet.")
    cut.mend()
    page.get_by_role("button", name="Send now").click()
    page.locator("#unsent").wait_for(state="detached")
    assert len(api.sets) == 1
    assert len(cut.ids) == 1


def test_a_refusal_is_told_and_not_tried_again(api: Api, visit: Visit) -> None:
    workout = api.start(None, "squat")
    page = visit()
    page.get_by_role("heading", name="Squat").wait_for()
    api.event("WorkoutCompleted", workout_id=workout)
    log_set(page)
    page.get_by_role("button", name="Start an empty workout").wait_for()
    page.locator(".message-error").wait_for()
    until(page, lambda: unsent(page) == "[]")


def test_unsent_changes_can_be_thrown_away(api: Api, visit: Visit) -> None:
    api.start(None, "squat")
    page = visit()
    page.get_by_role("heading", name="Squat").wait_for()
    Cut(page)
    log_set(page)
    expect_text(page, "1 change is not sent yet.")
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Throw away").click()
    page.get_by_role("dialog").get_by_role("button", name="Throw away").click()
    page.locator("#unsent").wait_for(state="detached")
    assert api.sets == []


def test_a_server_that_is_not_there_is_told_with_a_way_on(api: Api, visit: Visit) -> None:
    page = visit()
    page.route("**/api/session", lambda route: route.abort(), times=1)
    page.reload()
    page.get_by_role("heading", name="The server cannot be reached").wait_for()
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Start an empty workout").wait_for()
