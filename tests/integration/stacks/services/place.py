"""Where a service is asked: an account and a region; and the two ways most services are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.integration.stacks.environment import Environment, Held


class Place:
    """The services of one account and region."""

    def __init__(self, env: Environment, region: str) -> None:
        self.env = env
        self._region = region

    def __getattr__(self, service: str) -> Any:
        return self.env.client("lambda" if service == "functions" else service, self._region)


Looks = dict[str, Callable[[Place, Held], Any]]
"""Resource type -> what its service says of one; None or an error where there is none."""


def only(items: list[Any]) -> Any:
    """The one there is, or None."""
    assert len(items) < 2, items
    return items[0] if items else None


def by_ids(call: str, argument: str, answer: str) -> Callable[[Place, Held], Any]:
    """EC2's way: one id is asked for, a list comes."""

    def look(at: Place, held: Held) -> Any:
        return only(getattr(at.ec2, call)(**{argument: [held.physical]})[answer])

    return look


def by_name(service: str, call: str, argument: str, answer: str) -> Callable[[Place, Held], Any]:
    """The others' way: a name is asked for, a document or a list of one comes."""

    def look(at: Place, held: Held) -> Any:
        found = getattr(getattr(at, service), call)(**{argument: held.physical})
        inner = found[answer] if answer else found
        return only(inner) if isinstance(inner, list) else inner

    return look
