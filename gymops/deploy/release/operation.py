"""The record of an operation and how it may change; it is written by the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

from gymops.deploy.release.plan import Failure, Outcome, Plan, Request

_BY_EXIT_CODE = {5: Outcome.ROLLED_BACK, 6: Outcome.ROLLBACK_FAILED}


class State(StrEnum):
    """Where a step is. BEGUN: its effect may be there or not."""

    PENDING = "pending"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class StepRecord:
    """What is known of a step."""

    name: str
    state: State = State.PENDING
    attempt: int = 0
    began: datetime | None = None
    """The last attempt."""
    ended: datetime | None = None
    result: Any = None
    failure: Failure | None = None


@dataclass(frozen=True)
class Operation:
    """Law: PENDING -> BEGUN -> DONE or FAILED, one step after the other; BEGUN may be begun again. After a
    step failed the recovery runs. What has an outcome never changes.
    """

    SCHEMA: ClassVar[int] = 1

    number: int
    id: str
    environment: str
    request: Request
    plan: str
    """The plan's digest."""
    started: datetime
    fence: int
    """Of the lock under which it was last written: a lower one writes no more."""
    writer: str
    """Of each process another, so that no two ever write the same bytes."""
    steps: tuple[StepRecord, ...]
    recovery: tuple[StepRecord, ...]
    writes: int = 1
    outcome: Outcome | None = None
    why: str | None = None
    ended: datetime | None = None
    schema: int = SCHEMA

    @classmethod
    def begin(cls, request: Request, plan: Plan, **given: Any) -> Self:
        """All steps pending."""
        return cls(
            request=request,
            plan=plan.digest,
            steps=tuple(StepRecord(step.name) for step in plan.steps),
            recovery=tuple(StepRecord(step.name) for step in plan.recovery),
            **given,
        )

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.outcome is not None

    @property
    def failure(self) -> Failure | None:
        """Of the step that failed."""
        return next((step.failure for step in self.steps if step.failure), None)

    @property
    def current(self) -> StepRecord | None:
        """The first step that is not through, of the recovery if there is a failure."""
        part = self.recovery if self.failure else self.steps
        return next((step for step in part if step.state in (State.PENDING, State.BEGUN)), None)

    @property
    def results(self) -> dict[str, Any]:
        """Of the steps that are done."""
        return {step.name: step.result for step in self.steps + self.recovery if step.state is State.DONE}

    @property
    def durations(self) -> dict[str, float]:
        """Seconds of each step's last attempt, for the release's record."""
        return {
            step.name: round((step.ended - step.began).total_seconds(), 3)
            for step in self.steps + self.recovery
            if step.began and step.ended
        }

    @property
    def verdict(self) -> Outcome:
        """The outcome it comes to when every step is through."""
        if self.failure is None:
            return Outcome.SUCCEEDED
        if any(step.state is State.FAILED for step in self.recovery):
            return Outcome.ROLLBACK_FAILED
        told = [step.result for step in self.recovery if isinstance(step.result, str)]
        for result in reversed(told):
            if result in list(Outcome):
                return Outcome(result)
        return _BY_EXIT_CODE.get(self.failure.exit_code, Outcome.FAILED)

    def with_step(self, name: str, **changed: Any) -> Self:
        """With one of its steps changed."""

        def apply(part: tuple[StepRecord, ...]) -> tuple[StepRecord, ...]:
            return tuple(replace(step, **changed) if step.name == name else step for step in part)

        return replace(self, steps=apply(self.steps), recovery=apply(self.recovery))

    def as_dict(self) -> Mapping[str, Any]:
        """For ``--json``."""
        from gymops.store.records import plain

        document: dict[str, Any] = plain(self)
        return document
