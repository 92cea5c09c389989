"""Carrying out a plan under a journal: what is done is written down, what is not known is left as begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, NoReturn

from gymops.clock import Clock
from gymops.deploy.release.journal import Entry
from gymops.deploy.release.operation import Operation, State, StepRecord
from gymops.deploy.release.plan import Context, Failure, Outcome, Plan, Step
from gymops.deploy.stack.masking import Masker
from gymops.errors import Detached, GymopsError, Interrupted, LockLost, Unknown
from gymops.store.records import plain

Tell = Callable[[Operation], None]


class StepFailed(GymopsError):
    """A step failed."""


class StepRolledBack(StepFailed):
    """A step failed, and what had been done was undone."""

    exit_code: ClassVar[int] = 5
    code: ClassVar[str] = "rolled_back"


class StepRollbackFailed(StepFailed):
    """A step failed, and so did undoing what had been done."""

    exit_code: ClassVar[int] = 6
    code: ClassVar[str] = "rollback_failed"


_RAISED = {Outcome.ROLLED_BACK: StepRolledBack, Outcome.ROLLBACK_FAILED: StepRollbackFailed}


def carry_out(entry: Entry, plan: Plan, clock: Clock, tell: Tell = lambda _: None) -> Operation:
    """Do every step that is not done, then the recovery if one failed; ``tell`` is told of each change.

    Raises:
        Detached: Ctrl-C. What was begun runs on; nothing is undone.
        Unknown: the network or the credentials were lost, which is no failure.
        LockLost: another process took over; the step that ran was not written down as done.
        GymopsError: a step failed, and the recovery is through.
    """
    steps = {step.name: step for step in plan.steps + plan.recovery}
    raised: GymopsError | None = None
    try:
        tell(entry.operation)
        while record := entry.operation.current:
            entry.guard.check()
            failed = _do(entry, steps[record.name], record, clock, tell)
            raised = raised or failed
        if not entry.operation.finished:
            _write(entry, _finished(entry.operation, clock), tell)
    except (KeyboardInterrupt, Interrupted):
        raise _detached(entry.operation) from None
    except LockLost:
        raise
    except GymopsError as error:
        if error.unknown and error.exit_code != Unknown.exit_code:
            raise _unknown(entry.operation, error) from error
        raise
    if entry.operation.outcome is not Outcome.SUCCEEDED:
        _raise(entry.operation, raised)
    return entry.operation


def _do(entry: Entry, step: Step, record: StepRecord, clock: Clock, tell: Tell) -> GymopsError | None:
    """One step; what it failed with."""
    again = record.state is State.BEGUN
    begun = entry.operation.with_step(
        step.name, state=State.BEGUN, attempt=record.attempt + 1, began=clock.now()
    )
    _write(entry, begun, tell)
    operation = entry.operation
    context = Context(operation.id, step.name, record.attempt + 1, operation.results, operation.failure)
    try:
        found = step.look(context) if step.look and again else None
        result = found.result if found else step.run(context)
    except GymopsError as error:
        if error.unknown or isinstance(error, LockLost | Interrupted):
            raise
        failed = operation.with_step(
            step.name, state=State.FAILED, ended=clock.now(), failure=_failure(step.name, error)
        )
        _write(entry, failed, tell)
        return error
    done = operation.with_step(step.name, state=State.DONE, ended=clock.now(), result=plain(result))
    _write(entry, done, tell)
    return None


def _write(entry: Entry, operation: Operation, tell: Tell) -> None:
    entry.write(operation)
    tell(entry.operation)


def _failure(step: str, error: GymopsError) -> Failure:
    shown = Masker().text
    hint = None if error.hint is None else shown(error.hint)
    return Failure(step, error.code, shown(error.message), hint, error.exit_code)


def _finished(operation: Operation, clock: Clock) -> Operation:
    why = operation.failure.message if operation.failure else None
    return replace(operation, outcome=operation.verdict, why=why, ended=clock.now())


def _raise(operation: Operation, raised: GymopsError | None) -> NoReturn:
    """What failed, with the exit code of what became of it."""
    kind = _RAISED.get(operation.outcome or Outcome.FAILED, StepFailed)
    if raised is not None and (kind is StepFailed or raised.exit_code == kind.exit_code):
        raise raised
    failure = operation.failure
    raise kind(failure.message if failure else "failed", hint=failure.hint if failure else None) from raised


def _detached(operation: Operation) -> Detached:
    return Detached(
        f"detached from {_where(operation)}; what was begun runs on, and nothing was undone",
        hint=f"gymops attach {operation.environment}, or again: {operation.request.command}",
    )


def _unknown(operation: Operation, error: GymopsError) -> Unknown:
    first = f"{error.hint}; then " if error.hint else ""
    return Unknown(
        f"{_where(operation)} may still be running: {error.message}",
        hint=f"{first}gymops attach {operation.environment}, or again: {operation.request.command}",
    )


def _where(operation: Operation) -> str:
    step = operation.current
    at = f" at the step {step.name}" if step else ""
    return f"{operation.request.verb} {operation.environment} ({operation.id}){at}"
