"""From a transcript to an outcome: the grammar, then a model if there is one, else a question back."""

from __future__ import annotations

from collections.abc import Callable

from gymops.app.voice.context import Context
from gymops.app.voice.grammar import parse
from gymops.app.voice.outcome import Clarify, Missed, Outcome

LONGEST = 500
"""Characters of a transcript; nobody says more between two sets."""

Model = Callable[[str, Context], Outcome]
"""What may be asked about a sentence the grammar missed, see `gymops.app.voice.llm.ask`."""


def process(transcript: str, context: Context, *, llm: Model | None = None) -> Outcome:
    """What a sentence comes to; never `Missed`."""
    if len(transcript) > LONGEST:
        return Clarify("That was a lot. Say one set or one command at a time.", _choices(context))
    outcome = parse(transcript, context)
    if isinstance(outcome, Missed) and llm and transcript.strip():
        outcome = llm(transcript, context)
    return Clarify("I did not get that.", _choices(context)) if isinstance(outcome, Missed) else outcome


def _choices(context: Context) -> tuple[str, ...]:
    """What can be done next."""
    if context.workout is None:
        return ("start workout", "help")
    repeat = ("same again", "undo") if context.last_set(context.focus) else ()
    return (*repeat, "finish workout", "help")
