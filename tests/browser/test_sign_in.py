"""The form that asks for the passcode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.chromium import at_rest, until
from tests.browser.test_accessibility import findings
from tests.browser.test_offline import unsent
from tests.browser.test_workout import Visit, expect_text

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_the_passcode_lets_in_and_signing_out_asks_again(guarded: Visit, passcode: str) -> None:
    page = guarded()
    assert findings(page) == []
    enter(page, "not the passcode")
    expect_text(page, "That is not the passcode.")
    until(page, lambda: page.get_by_label("Passcode").evaluate("(field) => field === document.activeElement"))
    enter(page, passcode)
    page.get_by_role("button", name="Start an empty workout").wait_for()
    page.reload()
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Passcode").wait_for()


def test_a_session_that_ends_in_the_middle_loses_nothing(guarded: Visit, passcode: str) -> None:
    page = guarded()
    enter(page, passcode)
    page.get_by_role("button", name="Start an empty workout").click()
    page.get_by_role("button", name="Add exercise").wait_for()
    at_rest(page)
    page.context.clear_cookies()
    page.get_by_role("button", name="Add exercise").click()
    page.get_by_label("Search exercises").fill("squat")
    page.get_by_label("Search exercises").press("Enter")
    enter(page, passcode)
    page.get_by_role("heading", name="Squat").wait_for()
    until(page, lambda: unsent(page) == "[]")


def enter(page: Page, passcode: str) -> None:
    page.get_by_label("Passcode").fill(passcode)
    page.get_by_role("button", name="Continue").click()
