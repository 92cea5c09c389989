"""Finding the exercise a sentence names, in the spelling a speech recogniser gave it.

Names are compared as keys: stems run together, so that "dead lifts", "deadlifted" and "Deadlift" are the
same before anything is guessed. A guess has to be close and alone; anything less becomes a question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from gymops.app.library import Exercise
from gymops.app.voice.tokens import sentence

_SURE = 0.84
_LIKELY = 0.7
_MARGIN = 0.05
_SHORT = 5
"""Keys this short or shorter are one slip away from each other ("row", "rdl"): never guessed."""

_LONGEST = 6


@dataclass(frozen=True)
class Span:
    """Words ``start`` to ``end`` name these exercises: one if it is clear, several if it is not."""

    start: int
    end: int
    exercises: tuple[Exercise, ...]


@dataclass(frozen=True)
class Guess:
    """Exercises a phrase may mean, the likeliest first; ``sure``: the first is meant."""

    exercises: tuple[Exercise, ...]
    score: float = 0.0
    sure: bool = False


@dataclass(frozen=True)
class Names:
    """All names of the exercises at hand, by key, by stem and by pairs of letters."""

    exact: dict[str, tuple[Exercise, ...]]
    by_stem: dict[str, tuple[Exercise, ...]]
    keys: tuple[str, ...]
    by_pair: dict[str, tuple[int, ...]]
    sizes: tuple[int, ...]

    def spans(self, words: Sequence[str]) -> list[Span]:
        """The names that stand in the sentence, the longest first where they overlap, in order."""
        stems = [stem(word) for word in words]
        found: list[Span] = []
        for size in range(min(_LONGEST, len(words)), 0, -1):
            for start in range(len(words) - size + 1):
                end = start + size
                if any(span.start < end and start < span.end for span in found):
                    continue
                exercises = self.exact.get("".join(stems[start:end]))
                if exercises:
                    found.append(Span(start, end, exercises))
        return sorted(found, key=lambda span: span.start)

    def guess(self, words: Sequence[str]) -> Guess:
        """The exercise these words are close to, or those that it may be; none if they are far."""
        key = "".join(map(stem, words))
        ranked = self._ranked(key)
        if ranked and len(key) > _SHORT:
            (best, first), rivals = ranked[0], ranked[1:]
            if first >= _SURE and all(first - score >= _MARGIN for _, score in rivals):
                return Guess((best,), first, sure=True)
        partly = self._partly(words)
        if partly:
            return Guess(partly, 1.0)
        likely = tuple(one for one, score in ranked if score >= _LIKELY) if len(key) >= _SHORT else ()
        return Guess(likely, ranked[0][1] if likely else 0.0)

    def _partly(self, words: Sequence[str]) -> tuple[Exercise, ...]:
        """ "press", "incline": every exercise that has all these words in its name; never one alone."""
        groups = [self.by_stem.get(stem(word), ()) for word in words]
        if not groups:
            return ()
        partly = [one for one in groups[0] if all(one in group for group in groups[1:])]
        return tuple(sorted(partly, key=lambda one: len(one.name.split())))

    def _ranked(self, key: str) -> list[tuple[Exercise, float]]:
        """The exercises most like the key, the best first, each with how alike (0 to 1)."""
        pairs = _pairs(key)
        shared = Counter(at for pair in pairs for at in self.by_pair.get(pair, ()))
        near = sorted(shared, key=lambda at: (-shared[at] / (len(pairs) + self.sizes[at]), at))[:12]
        scores: dict[str, tuple[Exercise, float]] = {}
        for at in near:
            score = SequenceMatcher(None, key, self.keys[at], autojunk=False).ratio()
            for one in self.exact[self.keys[at]]:
                if score > scores.get(one.id, (one, 0.0))[1]:
                    scores[one.id] = (one, score)
        return sorted(scores.values(), key=lambda pair: -pair[1])


@lru_cache(maxsize=32)
def names(exercises: tuple[Exercise, ...]) -> Names:
    """The index of these exercises; kept, because a user's exercises seldom change between sentences."""
    exact: dict[str, list[Exercise]] = {}
    by_stem: dict[str, list[Exercise]] = {}
    for exercise in exercises:
        for name in (exercise.name, *exercise.aliases):
            for key in (_key(name), stem("".join(sentence(name).texts))):
                if key:
                    _put(exact, key, exercise)
        for word in sentence(exercise.name).texts:
            _put(by_stem, stem(word), exercise)
    keys = tuple(exact)
    by_pair: dict[str, list[int]] = {}
    for at, key in enumerate(keys):
        for pair in _pairs(key):
            by_pair.setdefault(pair, []).append(at)
    return Names(
        {key: tuple(found) for key, found in exact.items()},
        {key: tuple(found) for key, found in by_stem.items()},
        keys,
        {pair: tuple(found) for pair, found in by_pair.items()},
        tuple(len(_pairs(key)) for key in keys),
    )


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A word without its ending: presses, pressed and pressing are press. Names get the same treatment,
    so it need not be right, only the same for all forms."""
    word = word.replace("'", "")
    for endings in (("es", "s"), ("ing", "ed")):
        for ending in endings:
            shortest = 2 if ending == "s" else 3
            if word.endswith(ending) and len(word) - len(ending) >= shortest and not word.endswith("ss"):
                word = word.removesuffix(ending)
                break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
        word = word[:-1]
    if len(word) > 3 and word[-1] == "e":
        word = word[:-1]
    if len(word) > 2 and word.endswith(("y", "i")):
        word = word[:-1] + "i"
    return word


def similar(one: str, other: str) -> float:
    """How alike two names are to the ear of a recogniser, 0 to 1."""
    return SequenceMatcher(None, _key(one), _key(other), autojunk=False).ratio()


def _key(name: str) -> str:
    return "".join(map(stem, sentence(name).texts))


def _pairs(key: str) -> frozenset[str]:
    padded = f" {key} "
    return frozenset(padded[at : at + 2] for at in range(len(padded) - 1))


def _put(index: dict[str, list[Exercise]], key: str, exercise: Exercise) -> None:
    found = index.setdefault(key, [])
    if exercise not in found:
        found.append(exercise)
