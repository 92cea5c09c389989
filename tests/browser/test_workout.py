# ruff: noqa: RUF001 - the page writes the sign of multiplication, not the letter
"""Logging a workout with the card's buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.api import Api
from tests.browser.chromium import at_rest

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]


def expect_text(page: Page, text: str) -> None:
    page.get_by_text(text).first.wait_for()


def log_set(page: Page) -> None:
    page.get_by_role("button", name="Log set").click()


def test_a_workout_from_the_empty_page_to_the_history(api: Api, visit: Visit) -> None:
    page = visit()
    page.get_by_role("button", name="Start an empty workout").click()
    page.get_by_role("button", name="Add exercise").click()
    page.get_by_label("Search exercises").fill("bench pr")
    page.get_by_role("button", name="Bench Press chest", exact=True).click()
    page.get_by_role("textbox", name="Weight, kg").fill("60")
    page.get_by_role("button", name="More weight").click()
    page.get_by_role("button", name="Fewer reps").click()
    log_set(page)
    page.get_by_role("button", name="Edit set 1 62.5 kg × 9").wait_for()
    page.get_by_role("button", name="Log set 2").wait_for()
    assert api.sets == [("bench-press", 62.5, 9, "kg")]

    page.get_by_role("button", name="Finish", exact=True).click()
    page.get_by_label("Notes").fill("Felt strong")
    page.get_by_role("button", name="Finish workout").click()
    expect_text(page, "Felt strong")
    expect_text(page, "62.5 kg × 9")
    assert "/history/" in page.url
    assert api.current is None
    assert api.get("/history")["items"][0]["notes"] == "Felt strong"


def test_an_exercise_the_library_lacks_is_added_under_its_own_name(api: Api, visit: Visit) -> None:
    api.start()
    page = visit()
    page.get_by_role("button", name="Add exercise").click()
    page.get_by_label("Search exercises").fill("Backyard log carry!")
    page.get_by_label("Search exercises").press("Enter")
    page.get_by_role("heading", name="Backyard Log Carry").wait_for()
    log_set(page)
    page.get_by_role("button", name="Edit set 1 20 kg × 10", exact=True).wait_for()
    assert [one[0] for one in api.sets] == ["backyard-log-carry"]


def test_sets_of_the_bodys_weight_and_of_seconds(api: Api, visit: Visit) -> None:
    api.start(None, "dips", "plank")
    page = visit()
    page.get_by_role("article").get_by_text("Bodyweight", exact=True).click()
    page.get_by_role("textbox", name="Reps").fill("12")
    log_set(page)
    page.get_by_role("button", name="Edit set 1 Bodyweight × 12").wait_for()
    page.get_by_role("button", name="Next exercise").click()
    page.get_by_role("article").get_by_text("Time", exact=True).click()
    page.get_by_role("textbox", name="Seconds").fill("1:15")
    log_set(page)
    page.get_by_role("button", name="Edit set 1 1:15").wait_for()
    assert api.sets == [("dips", 0, 12, "kg"), ("plank", 0, None, "kg")]
    assert api.current
    assert api.current["exercises"][1]["sets"][0]["duration_seconds"] == 75


def test_pounds_are_kept_as_entered_and_remembered(api: Api, visit: Visit) -> None:
    api.start(None, "squat")
    page = visit()
    page.get_by_role("button", name="Enter the weight in lb").click()
    page.get_by_role("textbox", name="Weight, lb").fill("225")
    page.get_by_role("textbox", name="Reps").fill("5")
    log_set(page)
    page.get_by_role("button", name="Edit set 1 225 lb × 5").wait_for()
    assert api.sets == [("squat", 225, 5, "lb")]
    page.reload()
    page.get_by_role("textbox", name="Weight, lb").wait_for()


@pytest.mark.parametrize(("reps", "told"), [("0", "between 1 and 1000"), ("8.5", "whole number")])
def test_absurd_numbers_are_told_and_not_sent(api: Api, visit: Visit, reps: str, told: str) -> None:
    api.start(None, "squat")
    page = visit()
    page.get_by_role("textbox", name="Reps").fill(reps)
    log_set(page)
    page.get_by_role("alert").get_by_text(told).wait_for()
    assert api.sets == []


def test_last_time_and_the_record_are_on_the_card_and_a_fallen_record_is_celebrated(
    api: Api, visit: Visit
) -> None:
    api.finished("Push", ("bench-press", 80, 8), ("bench-press", 80, 7))
    api.start("Push", "bench-press")
    page = visit()
    expect_text(page, "80 kg × 8, 7")
    expect_text(page, "80 kg × 8 · 1RM ≈ 101.3 kg")
    page.get_by_role("textbox", name="Reps").fill("6")
    log_set(page)
    page.get_by_role("button", name="Edit set 1 80 kg × 6").wait_for()
    at_rest(page)
    assert page.get_by_text("New record!").count() == 0
    page.get_by_role("button", name="More weight").click()
    log_set(page)
    expect_text(page, "New record!")
    expect_text(page, "Heaviest: 82.5 kg")
    log_set(page)
    page.get_by_role("button", name="Edit set 3").wait_for()
    page.get_by_text("New record!").wait_for(state="detached")


def test_the_very_first_set_of_an_exercise_is_no_fallen_record(api: Api, visit: Visit) -> None:
    api.start(None, "deadlift")
    page = visit()
    log_set(page)
    page.get_by_role("button", name="Edit set 1").wait_for()
    page.get_by_role("button", name="Log set 2").wait_for()
    at_rest(page)
    assert page.get_by_text("New record!").count() == 0


def test_the_last_set_is_undone_on_whichever_card_it_is(api: Api, visit: Visit) -> None:
    workout = api.start(None, "squat", "deadlift")
    api.log(workout, "deadlift", 100, 5)
    api.log(workout, "squat", 90, 5)
    page = visit()
    page.get_by_role("button", name="Deadlift").click()
    page.get_by_role("button", name="Undo the last set").click()
    expect_text(page, "Undone: Squat, 90 kg × 5.")
    page.get_by_role("heading", name="Squat").wait_for()
    assert api.sets == [("deadlift", 100, 5, "kg")]


def test_a_set_is_edited_and_deleted(api: Api, visit: Visit) -> None:
    workout = api.start(None, "squat")
    api.log(workout, "squat", 100, 5)
    page = visit()
    page.get_by_role("button", name="Edit set 1").click()
    dialog = page.get_by_role("dialog", name="Squat, set 1")
    dialog.get_by_role("button", name="More weight").click()
    dialog.get_by_role("textbox", name="Reps").fill("4")
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Edit set 1 102.5 kg × 4").wait_for()
    expect_text(page, "Changed to 102.5 kg × 4.")
    assert api.sets == [("squat", 102.5, 4, "kg")]
    page.get_by_role("button", name="Edit set 1").click()
    page.get_by_role("button", name="Delete set").click()
    expect_text(page, "Deleted: 102.5 kg × 4.")
    assert api.sets == []


def test_a_workout_is_discarded_only_after_a_yes(api: Api, visit: Visit) -> None:
    api.start(None, "squat")
    page = visit()
    page.get_by_role("button", name="Discard workout").click()
    page.get_by_role("button", name="Cancel").click()
    assert api.current
    page.get_by_role("button", name="Discard workout").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard workout").click()
    page.get_by_role("button", name="Start an empty workout").wait_for()
    assert api.current is None


def test_a_workout_begins_from_a_template_and_is_filled_as_planned(api: Api, visit: Visit) -> None:
    plan = {"exercise_id": "squat", "target_sets": 3, "target_reps": 5, "target_weight": 97.5}
    api.event(
        "TemplateCreated",
        template_id="6f1c1a52-2f5e-4d3f-9c59-0d3a3f1f9d11",
        name="Legs",
        exercise_ids=["squat"],
        exercises=[plan],
    )
    page = visit()
    page.get_by_role("button", name="Legs").click()
    page.get_by_role("heading", name="Squat").wait_for()
    expect_text(page, "3 sets of 5")
    at_rest(page)  # and filled in
    log_set(page)
    page.get_by_role("button", name="Edit set 1 97.5 kg × 5").wait_for()
    assert api.current
    assert api.current["name"] == "Legs"
