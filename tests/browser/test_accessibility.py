# ruff: noqa: RUF001 - the page writes the sign of multiplication, not the letter
"""For people who cannot see the page, or cannot point at it, or would rather not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.api import Api
from tests.browser.chromium import DESKTOP, PHONE, at_rest, until
from tests.browser.test_workout import Visit, expect_text

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")


def findings(page: Page) -> list[str]:
    """What axe holds against the page as it is at rest."""
    at_rest(page)
    page.evaluate(AXE)
    # What fades in has no colour of its own yet.
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)))")
    result: dict[str, Any] = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


def furnish(api: Api) -> str:
    """A log with something in every view; a finished workout's id."""
    done = api.finished("Push", ("bench-press", 80, 8), ("bench-press", 80, 7), ("dips", 0, 10))
    api.event(
        "TemplateCreated",
        template_id="6f1c1a52-2f5e-4d3f-9c59-0d3a3f1f9d11",
        name="Push",
        exercise_ids=["bench-press", "dips"],
    )
    return done


def go(page: Page, view: str) -> None:
    """To a view, and until all that it shows is there."""
    page.evaluate(f"location.hash = '#/{view}'")
    until(page, lambda: page.evaluate(WHERE) == view)
    at_rest(page)


WHERE = """() => {
  const { view, id } = Alpine.store("page");
  return id ? `${view}/${id}` : view;
}"""


@pytest.mark.parametrize(
    ("theme", "size"),
    [
        pytest.param("light", PHONE, id="light-phone"),
        pytest.param("dark", PHONE, id="dark-phone", marks=pytest.mark.long),
        pytest.param("light", DESKTOP, id="light-desktop", marks=pytest.mark.long),
        pytest.param("dark", DESKTOP, id="dark-desktop", marks=pytest.mark.long),
    ],
)
def test_axe_finds_nothing_in_any_view(api: Api, visit: Visit, theme: str, size: dict[str, int]) -> None:
    done = furnish(api)
    page = visit(color_scheme=theme, viewport=size)
    page.get_by_role("button", name="Push").wait_for()
    found = {"start": findings(page)}
    for view in ("history", f"history/{done}", "templates", "records", "settings"):
        go(page, view)
        found[view] = findings(page)

    go(page, "workout")
    page.get_by_role("button", name="Push").click()
    page.get_by_role("button", name="Log set 1").wait_for()
    expect_text(page, "80 kg × 8, 7")
    expect_text(page, "1RM ≈")  # the record that is to fall is known
    at_rest(page)
    page.get_by_role("button", name="More weight").click()
    page.get_by_role("button", name="Log set 1").click()
    expect_text(page, "New record!")
    found["record"] = findings(page)
    for opener in ("Edit set 1", "Add exercise", "Finish", "Discard workout"):
        page.get_by_role("button", name=opener).first.click()
        page.get_by_role("dialog").wait_for()
        found[opener] = findings(page)
        page.keyboard.press("Escape")
    page.get_by_role("textbox", name="Reps").fill("0")
    page.get_by_role("button", name="Log set 2").click()
    page.get_by_role("alert").get_by_text("between 1 and 1000").wait_for()
    found["trouble"] = findings(page)
    assert {view: texts for view, texts in found.items() if texts} == {}


def test_a_workout_is_logged_with_the_keyboard_alone(api: Api, visit: Visit) -> None:
    page = visit(viewport=DESKTOP)
    page.locator("button:enabled", has_text="Start an empty workout").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add exercise").wait_for()
    tab_to(page, "Add exercise")
    page.keyboard.press("Enter")
    page.keyboard.type("squat")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Log set 1").wait_for()
    tab_to(page, "More weight")
    page.keyboard.press("Space")
    tab_to(page, "Log set 1")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Edit set 1 22.5 kg × 10", exact=True).wait_for()  # and no longer unsent
    at_rest(page)
    tab_to(page, "Edit set 1 22.5 kg × 10", back=True)
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    until(page, lambda: focused(page) == "Edit set 1 22.5 kg × 10")
    assert api.sets[0][1:] == (22.5, 10, "kg")


def focused(page: Page) -> str:
    name: str = page.evaluate(
        """() => {
          const element = document.activeElement;
          return element.ariaLabel ?? element.innerText.replace(/\\s+/g, " ").trim();
        }"""
    )
    return name


def tab_to(page: Page, name: str, *, back: bool = False) -> None:
    """Press Tab until a control has the focus; each one on the way must show that it has it."""
    passed = []
    for _ in range(40):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if page.evaluate("document.activeElement !== document.body"):
            assert page.evaluate(SHOWN), f"{focused(page)} does not show its focus"
        passed.append(focused(page))
        if passed[-1] == name:
            return
    raise AssertionError(f"no Tab reaches {name!r}: {passed}")


SHOWN = """() => {
  const element = document.activeElement;
  const seen = element.matches("[type=radio]") ? element.nextElementSibling : element;
  return getComputedStyle(seen).outlineStyle !== "none";
}"""


def test_a_view_says_where_it_is_when_it_is_reached(api: Api, visit: Visit) -> None:
    page = visit()
    page.get_by_role("link", name="History").click()
    until(page, lambda: page.evaluate("document.activeElement.matches('h1')"))
    assert focused(page) == "History"
    assert page.title() == "History · Titan Trakr"
    assert page.get_by_role("link", name="History").get_attribute("aria-current") == "page"


def test_everything_a_finger_aims_at_is_large_enough(api: Api, visit: Visit) -> None:
    done = furnish(api)
    workout = api.start(None, "bench-press", "plank")
    api.log(workout, "bench-press", 80, 8)
    page = visit()
    page.get_by_role("button", name="Edit set 1").wait_for()
    small = page.evaluate(SMALL)
    for view in ("history", f"history/{done}", "templates", "records", "settings"):
        go(page, view)
        small += page.evaluate(SMALL)
    assert small == []


SMALL = """() => [...document.querySelectorAll("a, button, input, summary, textarea, .segment")]
  .filter((element) => element.checkVisibility() && !element.matches(".skip, .sr-only, [type=radio]"))
  .map((element) => [element, (element.closest("label") ?? element).getBoundingClientRect()])
  .filter(([, { width, height }]) => width > 0 && (width < 44 || height < 44))
  .map(([element, { width, height }]) => `${element.outerHTML.slice(0, 120)} ${width} x ${height}`)"""


def test_nothing_moves_for_those_who_asked_for_that(api: Api, visit: Visit) -> None:
    furnish(api)
    api.start(None, "bench-press")
    page = visit(reduced_motion="reduce")
    expect_text(page, "80 kg × 8, 7")
    expect_text(page, "1RM ≈")  # the record that is to fall is known
    at_rest(page)
    page.get_by_role("button", name="More weight").click()
    page.get_by_role("button", name="Log set").click()
    expect_text(page, "New record!")
    page.get_by_role("button", name="Finish", exact=True).click()
    assert page.evaluate("document.getAnimations().length") == 0


def test_nothing_is_cut_off_on_a_small_phone(api: Api, visit: Visit) -> None:
    done = furnish(api)
    api.start("Upper body, long version", "bench-press", "incline-dumbbell-press")
    page = visit(viewport={"width": 320, "height": 568})
    page.get_by_role("button", name="Log set").wait_for()
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    for view in ("history", f"history/{done}", "templates", "records", "settings"):
        go(page, view)
        assert page.evaluate(wide) <= 0, view
