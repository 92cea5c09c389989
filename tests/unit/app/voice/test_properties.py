"""Whatever is said: nothing breaks, nothing invalid is written, nothing that was not done is logged."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gymops.app.events import new_payload
from gymops.app.library import Exercise
from gymops.app.voice import Answer, Clarify, Context, Emit, Missed, Outcome, parse
from gymops.app.voice.processor import LONGEST, process
from tests.unit.app.voice.contexts import WORKOUTS, context
from tests.unit.app.voice.test_corpus import CORPUS, Phrase

pytestmark = pytest.mark.usefixtures("no_network")

WORDS = sorted({word for phrase in CORPUS for word in phrase.text.split()})
NUMBERS = [
    "0",
    "1",
    "4",
    "8",
    "10",
    "62.5",
    "80",
    "100",
    "135",
    "one",
    "two",
    "four",
    "eight",
    "ten",
    "eighty",
]
NUMBERS += ["hundred", "oh", "point", "half", "and", "a"]
NOTHING_DONE = [
    "I didn't do {}",
    "I did not do {}",
    "should I do {}",
    "I'll do {}",
    "if I do {}",
    "I never did {}",
    "maybe {}",
    "I want to do {}",
    "{} tomorrow",
    "{}?",
    "can I do {}",
    "I almost got {}",
]

contexts = st.sampled_from(sorted(WORKOUTS))
sentences = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join),
    st.lists(st.sampled_from([*NUMBERS, "for", "to", "kilos", "reps", "x", "squat"]), max_size=12).map(
        " ".join
    ),
    st.sampled_from(["finish workout, ", "start ", "save as template ", "add ", "make that "]).flatmap(
        lambda verb: st.text(max_size=40).map(lambda rest: verb + rest)
    ),
)


def check(outcome: Outcome) -> None:
    """An outcome that can be acted upon as it is."""
    if isinstance(outcome, Emit):
        assert outcome.events
        assert outcome.say
        for event_type, payload in outcome.events:
            new_payload(event_type, payload)
    elif isinstance(outcome, Clarify):
        assert outcome.question
        assert all(outcome.choices)
    elif isinstance(outcome, Answer):
        assert outcome.say


@settings(max_examples=600, deadline=None)
@given(sentences, contexts)
def test_any_sentence_is_understood_or_not_but_never_breaks(text: str, name: str) -> None:
    outcome = parse(text, context(name))
    check(outcome)
    assert parse(text, context(name)) == outcome
    assert not isinstance(process(text, context(name)), Missed)


@settings(max_examples=300, deadline=None)
@given(
    sentences,
    st.lists(
        st.builds(
            Exercise,
            st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True),
            st.one_of(
                st.text(max_size=20), st.sampled_from(["10", "For", "80 for 10", "Undo", "a", "<exercise>"])
            ),
            st.just("other"),
            timed=st.booleans(),
            bodyweight=st.booleans(),
        ),
        max_size=4,
    ),
    st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20),
)
@pytest.mark.long
def test_exercises_and_templates_of_any_name_break_nothing(
    text: str, exercises: list[Exercise], template: str
) -> None:
    templates = [{"id": "22222222-2222-4222-8222-000000000001", "name": template, "exercise_ids": ["squat"]}]
    for workout, unit in WORKOUTS.values():
        surroundings = Context(workout, exercises, templates, default_unit=unit)
        for said in (text, *(f"{one.name} 80 for 10" for one in exercises), f"start {template}"):
            check(parse(said, surroundings))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NOTHING_DONE), st.sampled_from(CORPUS))
def test_what_was_not_done_is_not_logged(frame: str, phrase: Phrase) -> None:
    if "note" in phrase.text or phrase.text.lower().startswith(
        ("finish workout", "discard", "save", "create")
    ):
        return  # what stands behind these is a text
    outcome = parse(frame.format(phrase.text), context("bench"))
    if isinstance(outcome, Emit):
        assert not {kind for kind, _ in outcome.events} & {"SetLogged", "SetModified", "SetDeleted"}


@pytest.mark.parametrize(
    "text", ["one " * 500, "twenty one hundred and five " * 100, "for " * 400, "add " * 300]
)
def test_a_long_sentence_is_answered_at_once(text: str) -> None:
    assert isinstance(parse(text, context("bench")), Clarify)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([*NUMBERS, "for", "four", "to", "minute", "squat"]), min_size=30, max_size=60)
)
def test_a_sentence_of_nothing_but_numbers_takes_no_time(words: list[str]) -> None:
    times = []
    for _ in range(3):
        start = time.thread_time()
        check(parse(" ".join(words), context("bench")))
        times.append(time.thread_time() - start)
    assert min(times) < 0.05


def test_a_transcript_has_a_limit() -> None:
    assert isinstance(process("x" * LONGEST, context("bench")), Clarify)
    outcome = process("80 for 10" + " " * LONGEST, context("bench"))
    assert isinstance(outcome, Clarify)
