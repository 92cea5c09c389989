"""The order in which a sentence is understood: the grammar, a model, a question back."""

from __future__ import annotations

import pytest

from gymops.app.voice import Answer, Clarify, Context, Emit, Missed, Outcome
from gymops.app.voice.processor import process
from tests.unit.app.voice.contexts import context

pytestmark = pytest.mark.usefixtures("no_network")


class Model:
    """Answers the same to everything, and remembers what it was asked."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.asked: list[str] = []

    def __call__(self, transcript: str, surroundings: Context) -> Outcome:
        self.asked.append(transcript)
        return self.outcome


def test_a_model_is_asked_only_what_the_grammar_missed() -> None:
    model = Model(Answer("as the model says"))
    assert isinstance(process("80 for 10", context("bench"), llm=model), Emit)
    assert isinstance(process("80", context("bench"), llm=model), Clarify)
    assert isinstance(process("I didn't do 80 for 10", context("bench"), llm=model), Clarify)
    assert isinstance(process("should I do 100", context("bench"), llm=model), Clarify)
    assert isinstance(process("", context("bench"), llm=model), Clarify)
    assert isinstance(process("florble " * 100, context("bench"), llm=model), Clarify)
    assert model.asked == []
    assert process("florble 80 for 10", context("bench"), llm=model) == Answer("as the model says")
    assert model.asked == ["florble 80 for 10"]


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("bench", ("same again", "undo", "finish workout", "help")),
        ("empty", ("finish workout", "help")),
        ("nothing", ("start workout", "help")),
    ],
)
def test_what_nobody_understands_is_asked_back_with_what_can_be_done(name: str, choices: tuple[str]) -> None:
    outcome = Clarify("I did not get that.", choices)
    assert process("florble 80 for 10", context(name)) == outcome
    assert process("florble 80 for 10", context(name), llm=Model(Missed())) == outcome
    assert not any(process(choice, context(name)) == outcome for choice in choices)
