"""Understanding a sentence without a model: the same words in the same context mean the same.

What is not certain is asked. `Missed` is for sentences the grammar does not know at all; a sentence that
it knows to tell of nothing done is never `Missed`, so that no model gets to write it down.
"""

from __future__ import annotations

from dataclasses import dataclass

from gymops.app.library import Exercise
from gymops.app.voice import corrections, questions, wording, workouts
from gymops.app.voice.adding import add_exercise
from gymops.app.voice.context import Context
from gymops.app.voice.guard import is_not_done, is_question
from gymops.app.voice.measures import NAME, is_known, measures
from gymops.app.voice.names import Names, Span, names
from gymops.app.voice.numbers import is_number
from gymops.app.voice.outcome import Answer, Clarify, Emit, Missed, Outcome
from gymops.app.voice.sets import Lift, either, log, resolve
from gymops.app.voice.tokens import MAX_WORDS, Sentence, Word, sentence

NOTHING_DONE = Clarify("I only write down what is done. Say it like: 80 kilos for 10.")

_LEADING = {"ok", "okay", "um", "uh", "er", "erm", "hey", "so", "alright", "right", "please", "yeah", "yes"}
_LEADING |= {"well", "and", "cool", "great", "nice", "now", "oh", "ah"}
_ASKING_FOR: list[tuple[str, ...]] = [("can", "you"), ("could", "you"), ("would", "you"), ("will", "you")]
_ASKING_FOR += [
    ("i", "want", "to"),
    ("i'd", "like", "to"),
    ("i", "would", "like", "to"),
    ("let's",),
    ("lets",),
]
_COMMANDS = {"start", "begin", "finish", "end", "stop", "add", "undo", "delete", "remove", "save", "discard"}
_COMMANDS |= {"cancel", "log", "repeat", "change", "make", "please", "switch"}
_TRAILING = {"please", "thanks", "mate", "okay", "ok"}
_IN_NAMES = {"up", "down", "body", "weight", "bar", "side", "plate"}
"""Words of measure that names hold as well."""

_GREETING = {"good morning": Clarify("Is that the exercise?", ("add good morning",))}
_NEVER_MIND = {
    "never mind",
    "nevermind",
    "forget it",
    "forget about it",
    "no",
    "nope",
    "nothing",
    "stop listening",
}


def parse(transcript: str, context: Context) -> Outcome:
    """What the sentence asks for in this context."""
    really, said = _bared(sentence(transcript))
    if not said.words:
        return Missed()
    if len(said.words) > MAX_WORDS:
        return Clarify("That was a lot. Say one set or one command at a time.")
    return _Parser(said, context, really).outcome()


@dataclass(frozen=True)
class _Parser:
    said: Sentence
    context: Context
    really: bool

    def outcome(self) -> Outcome:
        """Commands that carry a text of their own come before the guard, sets after it."""
        line = " ".join(self.said.texts)
        if line in _NEVER_MIND:
            return Answer("Okay.")
        if line in _GREETING:
            return _GREETING[line]
        index = names(tuple(self.context.exercises))
        spans = [span for span in index.spans(self.said.texts) if self._is_name(span)]
        marked = " ".join(self._marked(spans))
        named = spans[0].exercises[0] if len(spans) == 1 and len(spans[0].exercises) == 1 else None
        if is_question(self.said.raw, self.said.texts) or line in {"help", "help me", "commands"}:
            return questions.answer(line, named, self.context) or NOTHING_DONE
        return (
            workouts.finish(self.said, marked, self.context, self._is_command)
            or workouts.discard(self.said, line, self.context)
            or workouts.save_template(self.said, line, self.context)
            or workouts.start(self.said, marked, named, self.context, certain=True)
            or corrections.undo(marked, named, self.context)
            or corrections.again(line, self.context)
            or corrections.change(line, self.context, really=self.really)
            or (NOTHING_DONE if is_not_done(self.said.texts) else None)
            or corrections.more_reps(line, self.context)
            or workouts.start(self.said, marked, named, self.context, certain=False)
            or self._exercise(spans, marked, index)
            or self._set(spans, index)
        )

    def _is_command(self, text: str) -> bool:
        return isinstance(parse(text, self.context), Emit)

    def _is_name(self, span: Span) -> bool:
        """An exercise may be called "10 of 10"; in a sentence those are numbers."""
        return not all(map(is_known, self.said.texts[span.start : span.end]))

    def _marked(self, spans: list[Span]) -> tuple[str, ...]:
        words = list(self.said.texts)
        for span in reversed(spans):
            words[span.start : span.end] = [NAME]
        return tuple(words)

    def _exercise(self, spans: list[Span], marked: str, index: Names) -> Outcome | None:
        if len(spans) > 1 or any(map(is_number, marked.split())):
            return None
        return add_exercise(marked, spans[0].exercises if spans else (), index, self.context)

    def _set(self, spans: list[Span], index: Names) -> Outcome:
        """A set, of the exercise that is named or in hand."""
        spans, certain = self._named(spans, index)
        words = self._marked(spans)
        if spans and words[:1] == ("add",):
            words = words[1:]
        readings = measures(words)
        if not readings:
            return Missed()
        best = readings[0][0]
        likely = [measure for cost, measure in readings if cost == best or (best and cost <= best + 1)]
        exercises = tuple(dict.fromkeys(one for span in spans for one in span.exercises))
        if not exercises:
            focus = self.context.focus
            certain = focus is not None
            exercises = (focus,) if focus else self._offered()
        lifts = [
            either([resolve(measure, one, self.context, really=self.really) for measure in likely])
            for one in exercises[:4]
        ]
        if certain and len(exercises) == 1:
            return log(lifts[0], self.context) if isinstance(lifts[0], Lift) else lifts[0]
        choices = tuple(one.sentence for one in lifts if isinstance(one, Lift))
        return Clarify(
            "Which exercise?", choices or tuple(f"add {wording.name(one)}" for one in exercises[:4])
        )

    def _named(self, spans: list[Span], index: Names) -> tuple[list[Span], bool]:
        """The exercise's place in the sentence, guessed where no name stands there as it is written.

        Words left over beside a name ("squat jump") put it in doubt.
        """
        texts = self.said.texts
        inside = {at for span in spans for at in range(span.start, span.end)}
        strange = [at for at in range(len(texts)) if at not in inside and not is_known(texts[at])]
        if strange[:1] == [0] and texts[0] == "add":
            strange = strange[1:]
        if not strange:
            return spans, len(spans) == 1
        start, end = strange[0], strange[-1] + 1
        if not spans:
            return self._guessed(start, end, index)
        start, end = min(start, spans[0].start), max(end, spans[-1].end)
        if any(is_number(word) for at, word in enumerate(texts[start:end], start) if at not in inside):
            return spans, False
        guess = index.guess(texts[start:end])
        if guess.sure:
            return [Span(start, end, guess.exercises)], True
        found = dict.fromkeys([one for span in spans for one in span.exercises] + list(guess.exercises))
        return [Span(start, end, tuple(found)[:4])], False

    def _guessed(self, start: int, end: int, index: Names) -> tuple[list[Span], bool]:
        """A name misheard may hold words of measure ("lap pull down"): the strange words, or a bit more."""
        texts = self.said.texts
        guesses = []
        for before, after in ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2)):
            first, last = start - before, end + after
            added = {*texts[max(first, 0) : start], *texts[end:last]}
            if first >= 0 and last <= len(texts) and added <= _IN_NAMES:
                guesses.append((index.guess(texts[first:last]), first, last))
        guesses = [one for one in guesses if one[0].exercises]
        if not guesses:
            return [], False
        guess, first, last = max(guesses, key=lambda one: (one[0].sure, one[0].score))
        return [Span(first, last, guess.exercises[:4])], guess.sure

    def _offered(self) -> tuple[Exercise, ...]:
        """What a set without an exercise is likely to be of."""
        ids = self.context.exercise_ids or ("bench-press", "squat", "deadlift", "plank")
        known = {one.id for one in self.context.exercises}
        return tuple(self.context.exercise(one) for one in ids if one in known or self.context.workout)


def _bared(said: Sentence) -> tuple[bool, Sentence]:
    """The sentence without its small talk, and whether "really" stood before it."""
    words = tuple(word for word in said.words if word.text not in {"?"})
    words = _without_lead(words)
    really = bool(words) and words[0].text == "really"
    if really:
        words = _without_lead(words[1:])
    while words and words[-1].text in _TRAILING:
        words = words[:-1]
    return really, Sentence(said.raw, words)


def _without_lead(words: tuple[Word, ...]) -> tuple[Word, ...]:
    while True:
        texts = tuple(word.text for word in words)
        asked = next((lead for lead in _ASKING_FOR if texts[: len(lead)] == lead), ())
        if asked and texts[len(asked) : len(asked) + 1] and texts[len(asked)] in _COMMANDS:
            words = words[len(asked) :]
        elif len(words) > 1 and texts[0] in _LEADING:
            words = words[1:]
        elif len(words) > 1 and texts[:2] in {("thank", "you")}:
            words = words[2:]
        else:
            return words
