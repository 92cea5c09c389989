# ruff: noqa: RUF001 - the page writes the sign of multiplication, not the letter
"""History, one workout, templates, records, settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.browser.api import Api
from tests.browser.chromium import until
from tests.browser.test_workout import Visit, expect_text

if TYPE_CHECKING:
    from playwright.sync_api import Page


def theme(page: Page) -> str:
    name: str = page.evaluate("document.documentElement.dataset.theme")
    return name


def test_the_history_is_read_page_by_page(api: Api, visit: Visit) -> None:
    for number in range(1, 24):
        api.finished(f"Workout {number}")
    page = visit("#/history")
    expect_text(page, "Workout 23")
    until(page, lambda: page.locator("main li").count() == 20)
    page.get_by_role("button", name="Show earlier workouts").click()
    page.get_by_role("link", name=re.compile(r"^Workout 1\b")).wait_for()
    until(page, lambda: page.locator("main li").count() == 23)
    page.get_by_role("button", name="Show earlier workouts").wait_for(state="hidden")
    page.get_by_role("link", name=re.compile(r"^Workout 3\b")).click()
    page.get_by_role("heading", name="Workout 3").wait_for()


def test_a_set_of_a_finished_workout_is_corrected(api: Api, visit: Visit) -> None:
    workout = api.finished("Legs", ("squat", 100, 5), ("squat", 1000, 5))
    page = visit(f"#/history/{workout}")
    page.get_by_role("button", name="Edit set 2 1000 kg × 5").click()
    page.get_by_role("dialog").get_by_role("textbox", name="Weight, kg").fill("100")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Edit set 2 100 kg × 5").wait_for()
    record = api.get("/projections/personal_records:squat")["data"]["max_weight"]
    assert record["weight"] == 100


def test_a_workout_that_does_not_exist_is_said_so(api: Api, visit: Visit) -> None:
    page = visit("#/history/0d3a3f1f-0000-4000-8000-000000000000")
    expect_text(page, "This workout does not exist.")


def test_a_template_is_made_from_a_workout_renamed_started_and_deleted(api: Api, visit: Visit) -> None:
    workout = api.finished("Legs", ("squat", 100, 5), ("squat", 105, 3), ("leg-press", 140, 10))
    page = visit(f"#/history/{workout}")
    page.get_by_role("button", name="Save as template").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Heavy legs")
    page.get_by_role("button", name="Save template").click()
    expect_text(page, "Heavy legs saved as a template.")
    page.get_by_role("link", name="Templates").click()
    expect_text(page, "2 × 3 · 105 kg")

    page.get_by_role("button", name="Rename Heavy legs").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Legs A")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    page.get_by_role("heading", name="Legs A").wait_for()
    (template,) = api.get("/templates")["items"]
    assert template["name"] == "Legs A"
    assert template["source_workout_id"] == workout
    assert template["exercise_ids"] == ["squat", "leg-press"]

    page.get_by_role("button", name="Start Legs A").click()
    page.get_by_role("heading", name="Squat").wait_for()
    page.get_by_role("link", name="Templates").click()
    expect_text(page, "A workout is in progress.")
    page.get_by_role("button", name="Delete Legs A").click()
    page.get_by_role("button", name="Delete template").click()
    page.get_by_role("heading", name="Legs A").wait_for(state="detached")
    assert api.get("/templates")["items"] == []


def test_the_records_are_listed_and_searched(api: Api, visit: Visit) -> None:
    names = ("squat", "deadlift", "bench-press", "overhead-press", "leg-press", "barbell-row")
    api.finished("All", *((name, 100.0, 5) for name in names), ("squat", 110, 3))
    page = visit("#/records")
    squat = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Squat"))
    squat.get_by_role("definition").get_by_text("110 kg × 3").wait_for()
    squat.get_by_text("Best by reps").click()
    squat.get_by_text("100 kg × 5", exact=True).wait_for()
    page.get_by_label("Search records").fill("press")
    presses = ["Bench Press", "Leg Press", "Overhead Press"]
    until(page, lambda: page.get_by_role("heading", level=2).all_text_contents() == presses)


def test_the_theme_is_the_systems_until_another_is_chosen(api: Api, visit: Visit) -> None:
    page = visit("#/settings", color_scheme="dark")
    page.get_by_role("group", name="Theme").wait_for()
    assert theme(page) == "dark"
    page.emulate_media(color_scheme="light")
    until(page, lambda: theme(page) == "light")
    page.get_by_text("Dark", exact=True).click()
    until(page, lambda: theme(page) == "dark")
    page.reload()
    assert theme(page) == "dark"
    page.get_by_role("group", name="Theme").wait_for()
    until(page, lambda: page.get_by_label("Dark").is_checked())
