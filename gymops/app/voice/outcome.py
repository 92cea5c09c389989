"""What a sentence comes to: events to write, a question back, an answer, or nothing understood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Event = tuple[str, dict[str, Any]]
"""An event's type and its payload, as `new_payload` takes them."""


@dataclass(frozen=True)
class Emit:
    """Events to write together, and what to say once they are written."""

    events: tuple[Event, ...]
    say: str


@dataclass(frozen=True)
class Clarify:
    """Nothing is written: a question back. Each choice is a whole sentence that answers it."""

    question: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """Nothing is written: the sentence asked for something, or took something back."""

    say: str


@dataclass(frozen=True)
class Missed:
    """The grammar does not know such a sentence; only then may a language model be asked."""


Outcome = Emit | Clarify | Answer | Missed
