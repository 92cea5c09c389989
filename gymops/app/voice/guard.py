"""Sentences that tell of no set done: questions, negations, plans, what was nearly or once done.

They are caught before anything can be logged, and are never handed to a language model: "I didn't do 80
for 10" holds all a set needs but the truth.
"""

from __future__ import annotations

from collections.abc import Sequence

from gymops.app.voice.numbers import is_number

_ASKING = {"what", "what's", "whats", "how", "how's", "when", "which", "who", "where", "why", "does"}
_ASKING |= {"should", "shall", "can", "could", "am", "is", "are", "was", "were", "has", "would", "may"}
_ASKING_ME = {"do", "did", "have", "will", "had"}

_NOT_DONE = {"not", "no", "never", "nothing", "none", "neither", "nor", "without", "cannot", "dont", "didnt"}
_NOT_DONE |= {"cant", "wont", "couldnt", "wasnt", "isnt", "havent", "wouldnt", "shouldnt", "doesnt", "aint"}
_NOT_DONE |= {"if", "unless", "should", "would", "could", "might", "may", "maybe", "perhaps", "will", "shall"}
_NOT_DONE |= {"almost", "nearly", "try", "tried", "trying", "fail", "failed", "failing", "missed", "attempt"}
_NOT_DONE |= {"attempted", "want", "wanted", "wanna", "gonna", "going", "plan", "planned", "planning", "hope"}
_NOT_DONE |= {
    "hoping",
    "wish",
    "i'll",
    "i'd",
    "we'll",
    "aim",
    "aiming",
    "goal",
    "target",
    "think",
    "thinking",
}
_NOT_DONE |= {"suppose", "supposed", "imagine", "pretend", "forget", "skip", "skipped", "instead", "about"}
_NOT_DONE |= {"tomorrow", "yesterday", "later", "ago", "tonight", "usually", "normally", "used", "someday"}
_NOT_DONE |= {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "week", "month"}
_NOT_DONE |= {
    "before",
    "until",
    "after",
    "can",
    "couldn't",
    "rather",
    "example",
    "except",
    "but",
    "he",
    "she",
}
_NOT_DONE |= {"they", "his", "her", "their", "friend", "someone", "ready", "soon", "today's"}

_TO_COME = {"let's", "lets", "doing", "do", "next", "need", "needs", "must", "warmup", "warm"}
"""What makes a plan of a sentence with numbers, and is part of a command without them."""


def is_question(raw: str, words: Sequence[str]) -> bool:
    """Whether something is asked; recognisers seldom write the question mark."""
    if raw.endswith("?"):
        return True
    if not words:
        return False
    return words[0] in _ASKING or (words[0] in _ASKING_ME and words[1:2] in (["i"], ["we"], ["you"]))


def is_not_done(words: Sequence[str]) -> bool:
    """Whether a sentence negates, supposes, plans or remembers."""
    if any(word in _NOT_DONE or word.endswith("n't") for word in words):
        return True
    return any(word in _TO_COME for word in words) and any(map(is_number, words))
