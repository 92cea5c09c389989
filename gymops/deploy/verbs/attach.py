"""``gymops attach``: follow the operation that runs, or say how an unfinished one goes on, or give it up.

1. While somebody holds the lock, their operation is followed as it is written down, and ends here as there.
2. A stack that still moves is waited for, whoever set it going.
3. What is unfinished then goes on with its own command, or is given up: what it did stays done.
"""

from __future__ import annotations

from collections.abc import Callable

from gymops.clock import ticks
from gymops.deploy.release.journal import Journal
from gymops.deploy.release.ledger import Ledger, Release
from gymops.deploy.release.lock import Owner, held_by
from gymops.deploy.release.operation import Operation, State
from gymops.deploy.release.plan import Outcome
from gymops.deploy.release.run import StepFailed, StepRollbackFailed, StepRolledBack
from gymops.deploy.stack.errors import StackFailed
from gymops.deploy.stack.waiting import drain
from gymops.deploy.verbs import recording
from gymops.deploy.verbs.failures import Declined
from gymops.deploy.verbs.run import settled
from gymops.deploy.verbs.site import Site
from gymops.errors import ConfigError, Detached, GateRefused, GymopsError
from gymops.store.objects import Objects

_SECONDS = 6 * 3600.0
_INTERVAL = 2.0

_ENDED: dict[Outcome, type[StepFailed]] = {
    Outcome.ROLLED_BACK: StepRolledBack,
    Outcome.ROLLBACK_FAILED: StepRollbackFailed,
}
_FAILED: dict[int, type[GymopsError]] = {one.exit_code: one for one in (ConfigError, GateRefused, Declined)}
"""What failed, and nothing was to be undone: by the exit code of the step that did."""


def attach(site: Site, *, interval: float = _INTERVAL) -> Operation | None:
    """Follow what goes on in an environment to its end; the operation that succeeded, None if none is there.

    Raises:
        StepFailed, StepRolledBack, StepRollbackFailed: it ended so.
        ConfigError, GateRefused, Declined: a step of it did, and nothing was to be undone.
        Detached: Ctrl-C, or nobody works on it any more; the hint says which command goes on with it.
        StackFailed, Unknown: of a stack that moves and belongs to no operation.
    """
    name = site.deployment.name
    try:
        bucket = site.bucket()
        followed = _follow(site, site.objects(bucket), interval) if bucket else None
        if followed is not None and followed.finished:
            return _ended(followed)
        unfinished = Journal(site.objects(bucket), name, site.clock).unfinished() if bucket else None
        if unfinished is None:
            _wait(site)
            return None
        try:
            _wait(site)
        except StackFailed as failed:
            site.talk.say(failed.message)
    except KeyboardInterrupt:
        raise Detached(
            f"{name} is not followed any more; what runs there runs on", hint=f"gymops attach {name}"
        ) from None
    raise _left(unfinished)


def abandon(site: Site, operation: str, owner: Owner) -> Release:
    """Give an unfinished operation up and write that down; the same again finds that it is done.

    Raises:
        LockHeld: somebody is at it.
        GateRefused, Unfinished: a stack still moves; nothing is unfinished, or something else is.
    """
    name, bucket = site.deployment.name, site.bucket()
    if bucket is None:
        raise GateRefused(f"{name}: nothing is unfinished", hint=f"gymops status {name}")
    objects = site.objects(bucket)
    journal, ledger = Journal(objects, name, site.clock), Ledger(objects, name)
    with site.lock(bucket, owner).take(lambda: settled(site)) as held:
        if not settled(site):
            raise GateRefused(f"{name}: a stack is still moving", hint=f"gymops attach {name} waits for it")
        last = journal.latest()
        if last is None or last.id != operation or last.outcome is not Outcome.ABANDONED:
            last = journal.abandon(operation, f"given up by {site.who}", held)
        return ledger.append(recording.given_up(last))


def _follow(site: Site, objects: Objects, interval: float) -> Operation | None:
    """Follow whoever holds the lock; the operation as it was seen last, None if nobody holds it."""
    name = site.deployment.name
    journal, said = Journal(objects, name, site.clock), _Said(site.talk.say)
    number: int | None = None
    seen: Operation | None = None
    for _ in ticks(site.clock, timeout=_SECONDS, interval=interval):
        # The lock before the journal: who has let go of it has written everything down.
        held = held_by(objects, name)
        alive = held is not None and not held[0].expired(held[1])
        if held and alive:
            said.once(f"followed: {held[0].owner}, since {held[0].since:%Y-%m-%d %H:%M:%S} UTC")
        if number is None and held and alive:
            latest = journal.latest()
            number = latest.number if latest and latest.id == held[0].operation else None
        if number is not None and (seen := journal.get(number)):
            said.operation(seen)
        if not alive or (seen and seen.finished):
            return seen
    raise Detached(f"{name}: it has not ended after six hours", hint=f"gymops status {name}")


class _Said:
    """What was told already."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told: set[str] = set()

    def once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._say(line)

    def operation(self, operation: Operation) -> None:
        """Each step that is not pending, as it is written down."""
        self.once(f"{operation.request.command} ({operation.id}), begun by {operation.request.who}")
        for step in operation.steps + operation.recovery:
            if step.state is not State.PENDING:
                again = f" (attempt {step.attempt})" if step.attempt > 1 else ""
                why = f": {step.failure.message}" if step.failure else ""
                self.once(f"  {step.name}: {step.state}{again}{why}")


def _wait(site: Site) -> None:
    """Wait for each stack that moves."""
    for one in site.deployment.stacks():
        region, name = site.deployment.region_of(one), site.deployment.stack_name(one)
        found = site.reader(region).stack(name)
        if found is not None and found.busy:
            site.talk.say(f"{name} is {found.status}")
            drain(site.stacks(region, None).attach(name), site.talk.progress)


def _ended(operation: Operation) -> Operation:
    """As the process ended that was followed."""
    if operation.outcome is Outcome.SUCCEEDED:
        return operation
    outcome = operation.outcome or Outcome.FAILED
    failure = operation.failure
    refused = _FAILED.get(failure.exit_code) if failure and outcome is Outcome.FAILED else None
    raise (refused or _ENDED.get(outcome, StepFailed))(
        f"{operation.request.verb} {operation.environment} ({operation.id}) {outcome.replace('_', ' ')}:"
        f" {operation.why or 'it does not say why'}",
        hint=failure.hint if failure else f"gymops status {operation.environment}",
    )


def _left(operation: Operation) -> GymopsError:
    step = operation.current
    where = f" at the step {step.name}" if step else ""
    return Detached(
        f"{operation.request.verb} {operation.environment} ({operation.id}) is unfinished{where},"
        " and nobody works on it",
        hint=f"{operation.request.command} goes on with it;"
        f" gymops attach {operation.environment} --abandon {operation.id} gives it up",
    )
