"""What one request did, gathered on its way for its log line and its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Activity:
    """One request or invocation. Routes that run in a thread write to the same one."""

    request_id: str
    correlation_id: str
    user: str | None = None
    voice: str | None = None
    """The outcome of what was said."""
    events: list[tuple[str, str]] = field(default_factory=list)
    """(event_id, event_type) of each event it appended."""


_current: ContextVar[Activity | None] = ContextVar("activity", default=None)


def current() -> Activity | None:
    """The activity of the request at work, if there is one."""
    return _current.get()


@contextmanager
def doing(activity: Activity) -> Iterator[None]:
    """Let what happens inside count as this activity."""
    token = _current.set(activity)
    try:
        yield
    finally:
        _current.reset(token)


def acts_for(user: str) -> None:
    """The request acts for this user."""
    if activity := current():
        activity.user = user


def appended(events: Iterable[tuple[str, str]]) -> None:
    """The request appended these: (event_id, event_type)."""
    if activity := current():
        activity.events.extend(events)


def spoken(outcome: str) -> None:
    """What was said led to this outcome."""
    if activity := current():
        activity.voice = outcome
