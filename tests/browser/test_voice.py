# ruff: noqa: RUF001 - the page writes the sign of multiplication, not the letter
"""Saying it: typed, spoken, answered, made clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.api import Api
from tests.browser.chromium import at_rest, until
from tests.browser.test_workout import Visit, expect_text

if TYPE_CHECKING:
    from playwright.sync_api import Page

STUB = """
window.spoken = [];
speechSynthesis.speak = (words) => window.spoken.push(words.text);
window.SpeechRecognition = class {
  start() { window.recognition = this; }
  stop() { this.onend(); }
  hear(words, isFinal) {
    const result = Object.assign([{ transcript: words }], { isFinal });
    this.onresult({ results: [result] });
    if (isFinal) this.onend();
  }
};
"""

DEAF = "delete window.SpeechRecognition; delete window.webkitSpeechRecognition;"


def say(page: Page, words: str) -> None:
    page.get_by_label("Say what you did").fill(words)
    page.get_by_label("Say what you did").press("Enter")


def test_a_typed_sentence_is_logged_answered_and_spoken(api: Api, visit: Visit) -> None:
    api.start(None, "bench-press")
    page = visit(script=STUB)
    say(page, "bench press 80 kg for 10")
    page.get_by_role("button", name="Edit set 1 80 kg × 10").wait_for()
    at_rest(page)
    answer = page.locator("#message")
    assert answer.get_attribute("aria-live") == "polite"
    assert "80" in (answer.text_content() or "")
    assert page.evaluate("window.spoken") == [answer.text_content()]
    assert page.get_by_label("Say what you did").input_value() == ""
    assert api.sets == [("bench-press", 80, 10, "kg")]
    page.get_by_role("button", name="Undo", exact=True).click()
    expect_text(page, "Undone: Bench Press, 80 kg × 10.")
    assert api.sets == []


def test_a_spoken_sentence_is_shown_as_it_is_heard_and_logged(api: Api, visit: Visit) -> None:
    api.start(None, "squat")
    page = visit(script=STUB)
    page.get_by_role("button", name="Speak").click()
    page.get_by_role("button", name="Speak", pressed=True).wait_for()
    page.evaluate("recognition.hear('squat 100', false)")
    until(page, lambda: page.get_by_label("Say what you did").input_value() == "squat 100")
    page.evaluate("recognition.hear('squat 100 kg for 5', true)")
    page.get_by_role("button", name="Edit set 1 100 kg × 5").wait_for()
    assert api.sets == [("squat", 100, 5, "kg")]
    page.get_by_role("button", name="Speak", pressed=False).wait_for()


def test_a_blocked_microphone_is_told(api: Api, visit: Visit) -> None:
    page = visit(script=STUB)
    page.get_by_role("button", name="Speak").click()
    page.evaluate("recognition.onerror({ error: 'not-allowed' }); recognition.onend()")
    expect_text(page, "The microphone is blocked.")


def test_without_speech_recognition_there_is_no_voice_button(api: Api, visit: Visit) -> None:
    page = visit(script=DEAF)
    page.get_by_label("Say what you did").wait_for()
    assert page.get_by_role("button", name="Speak").count() == 0


def test_in_doubt_the_page_asks_and_each_answer_is_a_button(api: Api, visit: Visit) -> None:
    page = visit(script=STUB)
    say(page, "press 50 for 5")
    answers = page.get_by_role("group", name="Answers").get_by_role("button")
    answers.nth(1).wait_for()
    at_rest(page)
    assert page.locator("#message").text_content() in page.evaluate("window.spoken")
    assert api.current is None
    exercise = (answers.nth(1).text_content() or "").split(" 50 ")[0]
    answers.nth(1).click()
    page.get_by_role("button", name="Edit set 1 50 kg × 5").wait_for()
    page.get_by_role("heading", name=exercise, level=2).wait_for()
    at_rest(page)
    assert answers.count() == 0
    assert [(one[1], one[2]) for one in api.sets] == [(50, 5)]


def test_a_record_that_falls_by_voice_is_celebrated(api: Api, visit: Visit) -> None:
    api.finished("Push", ("bench-press", 80, 8))
    page = visit(script=STUB)
    say(page, "bench press 85 kg for 8")
    expect_text(page, "New record!")
    expect_text(page, "Heaviest: 85 kg")


def test_speaking_can_be_switched_off_and_stays_off(api: Api, visit: Visit) -> None:
    page = visit("#/settings", script=STUB)
    page.get_by_label("Speak answers").uncheck()
    page.reload()
    assert not page.get_by_label("Speak answers").is_checked()
    page.get_by_role("link", name="Workout").click()
    say(page, "bench press 80 kg for 10")
    page.get_by_role("button", name="Edit set 1").wait_for()
    at_rest(page)
    assert page.evaluate("window.spoken") == []


def test_finishing_by_voice_shows_the_finished_workout(api: Api, visit: Visit) -> None:
    workout = api.start("Push", "bench-press")
    api.log(workout, "bench-press", 80, 8)
    page = visit(script=STUB)
    say(page, "finish workout")
    page.get_by_role("button", name="Save as template").wait_for()
    assert page.url.endswith(workout)
