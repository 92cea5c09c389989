"""Every phrase of the corpus, exactly: the events with all their fields, the words said, the choices."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import pytest

from gymops.app.events import new_payload
from gymops.app.voice import Clarify, Emit, Missed, parse
from tests.unit.app.voice.contexts import context, shown


class Phrase(NamedTuple):
    """A phrase, where it is said, and what it comes to."""

    context: str
    text: str
    outcome: list[str]


def _read() -> list[Phrase]:
    """``[context]``, then phrases, each with its outcome indented below it; # is a remark."""
    phrases: list[Phrase] = []
    name = ""
    for line in Path(__file__).with_name("corpus.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            phrases[-1].outcome.append(line[4:])
        elif line.startswith("["):
            name = line[1:-1]
        elif line and not line.startswith("#"):
            phrases.append(Phrase(name, line, []))
    return phrases


pytestmark = pytest.mark.usefixtures("no_network")
CORPUS = _read()


def test_the_corpus_is_large_and_has_no_phrase_twice() -> None:
    assert len(CORPUS) >= 300
    assert len({(one.context, one.text) for one in CORPUS}) == len(CORPUS)
    assert all(one.outcome for one in CORPUS)


@pytest.mark.parametrize("phrase", CORPUS, ids=lambda phrase: f"{phrase.context}: {phrase.text}")
def test_a_phrase_comes_to_exactly_this(phrase: Phrase) -> None:
    assert shown(parse(phrase.text, context(phrase.context))) == phrase.outcome


@pytest.mark.parametrize("phrase", CORPUS, ids=lambda phrase: f"{phrase.context}: {phrase.text}")
def test_what_it_emits_can_be_stored_and_what_it_offers_can_be_said(phrase: Phrase) -> None:
    outcome = parse(phrase.text, context(phrase.context))
    if isinstance(outcome, Emit):
        for event_type, payload in outcome.events:
            stored = new_payload(event_type, payload)
            assert {name: stored[name] for name in payload} == payload
    if isinstance(outcome, Clarify):
        for choice in outcome.choices:
            answer = parse(choice, context(phrase.context))
            assert not isinstance(answer, Missed), choice
            assert answer != outcome, choice


def test_a_phrase_means_the_same_each_time_however_it_is_written() -> None:
    for one in CORPUS:
        if "STRONG" in one.text or "called" in one.text or "notes" in " ".join(one.outcome):
            continue
        again = parse(f"  {one.text.upper()}\n", context(one.context))
        assert [line.lower() for line in shown(again)] == [line.lower() for line in one.outcome], one.text


def test_understanding_takes_less_than_5_ms() -> None:
    """The 99th percentile of the best of three runs: what the code takes, not what else the machine does."""
    for one in CORPUS:
        parse(one.text, context(one.context))
    times = sorted(min(_seconds(one) for _ in range(3)) for one in CORPUS)
    p99 = times[int(len(times) * 0.99)]
    print(
        f"voice: {len(times)} phrases, median {times[len(times) // 2] * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms"
    )
    assert p99 < 0.005


def _seconds(phrase: Phrase) -> float:
    surroundings = context(phrase.context)
    start = time.thread_time()
    parse(phrase.text, surroundings)
    return time.thread_time() - start
