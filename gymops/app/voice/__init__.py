"""Voice: from a transcript and the workout in progress to events, a question back, or an answer."""

from gymops.app.voice.context import Context
from gymops.app.voice.grammar import parse
from gymops.app.voice.outcome import Answer, Clarify, Emit, Missed, Outcome

__all__ = ["Answer", "Clarify", "Context", "Emit", "Missed", "Outcome", "parse"]
