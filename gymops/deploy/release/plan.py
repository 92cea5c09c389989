"""What is to be done: a request, and the steps that carry it out. Nothing here does any of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gymops.deploy.artefact import canonical, sha256

_NAME = re.compile(r"[a-z][a-z0-9-]{0,59}")


class Outcome(StrEnum):
    """How an operation ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    ABANDONED = "abandoned"


@dataclass(frozen=True)
class Request:
    """What somebody asked for. Asking for the same again while it is unfinished goes on with it."""

    verb: str
    command: str
    """As it is typed, for hints: ``gymops deploy prod``."""
    who: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What makes it this request and no other; no secrets, see ``records.shown``."""
    artefact: str | None = None
    """A digest, where it is known when the operation begins."""
    known: Mapping[str, Any] = field(default_factory=dict)
    """What its record will say however it ends; no part of what makes it this request."""

    @property
    def digest(self) -> str:
        """Equal for equal requests, whoever asks and however it is typed."""
        return sha256(canonical([self.verb, dict(self.parameters), self.artefact]))


@dataclass(frozen=True)
class Failure:
    """Why a step failed."""

    step: str
    code: str
    message: str
    hint: str | None
    exit_code: int


@dataclass(frozen=True)
class Context:
    """What a step is told."""

    operation: str
    step: str
    attempt: int
    """1, and one more each time it is begun again."""
    results: Mapping[str, Any]
    """Of the steps before it, by name, whichever process did them."""
    failure: Failure | None = None
    """In recovery: what is recovered from."""

    @property
    def token(self) -> str:
        """The same in every attempt, and no other step's: a ClientRequestToken, or a change set's name."""
        return f"{self.operation}-{self.step}"


@dataclass(frozen=True)
class Happened:
    """A step's effect was found, with what the step would have returned."""

    result: Any = None


@dataclass(frozen=True)
class Step:
    """One effect. ``run`` returns what later steps need, as JSON has it; a GymopsError is its failure, unless
    the error is ``unknown``: then the operation stays as it is until the same command goes on.
    """

    name: str
    run: Callable[[Context], Any]
    look: Callable[[Context], Happened | None] | None = None
    """Asked before ``run`` where an attempt before may have had the effect. None: ``run`` may be repeated."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot be part of a token")


@dataclass(frozen=True)
class Plan:
    """The steps in their order, and those of the recovery after one of them failed.

    Every step of the recovery is tried, also after one that failed. The last of them that returns an Outcome
    decides the operation's; without one it follows from the failure's exit code.
    """

    steps: tuple[Step, ...]
    recovery: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            raise ValueError("two steps of one name")

    @property
    def names(self) -> tuple[str, ...]:
        """Of all steps."""
        return tuple(step.name for step in self.steps + self.recovery)

    @property
    def digest(self) -> str:
        """Of its form: another gymops may have other steps, and cannot go on with these."""
        parts = [[(step.name, step.look is None) for step in part] for part in (self.steps, self.recovery)]
        return sha256(canonical(parts))
