"""Carrying out a release: the foundation, the lock, the journal, the steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gymops.deploy.release.journal import Journal, unseen
from gymops.deploy.release.ledger import Release
from gymops.deploy.release.lock import Owner, working_on
from gymops.deploy.release.operation import Operation, State
from gymops.deploy.release.plan import Plan, Request
from gymops.deploy.release.run import carry_out
from gymops.deploy.stack.port import Reader, StackTarget
from gymops.deploy.stack.preview import Preview
from gymops.deploy.stack.waiting import drain
from gymops.deploy.syntax import TemplateError, parse
from gymops.deploy.template import compose
from gymops.deploy.verbs.failures import Declined
from gymops.deploy.verbs.site import Site
from gymops.deploy.verbs.steps import Steps
from gymops.errors import GymopsError, Unknown


def foundation(site: Site, token: str) -> str:
    """Make or update what must be there before the first release: registry and bucket. The bucket's name.

    It is no step of an operation, since journal and lock are in that bucket; running it again is harmless.

    Raises:
        Declined: the person at the terminal said no.
        GymopsError: the stack failed.
    """
    deployment = site.deployment
    one = deployment.architecture.stack("base")
    region, name = deployment.region_of(one), deployment.stack_name(one)
    template = compose(one.template)
    target = StackTarget(name, region, template, deployment.given(template, {}))
    bucket = _founded(site.reader(region), target)
    if bucket:
        return bucket

    def confirm(preview: Preview) -> bool:
        if not site.talk.confirm(preview):
            raise Declined(f"{name} stays as it is", hint="nothing was changed; run it again when ready")
        return True

    waiting = site.stacks(region, None).deploy(
        target, token=token, confirm=confirm, agree=site.talk.agree, allowed=site.talk.allowed
    )
    with doubtful(f"{name} may be changing all the same", "run the same again"):
        return drain(waiting, site.talk.progress).outputs["ReleaseBucketName"]


def _founded(reader: Reader, target: StackTarget) -> str | None:
    """The bucket's name, if the stack is at rest and as it is wanted."""
    found = reader.stack(target.name)
    if found is None or found.status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        return None
    if {**found.parameters, **target.parameters} != found.parameters:
        return None
    try:
        there = parse(reader.template(target.name), target.name)  # AWS gives it back in a spelling of its own
    except TemplateError:
        return None
    return found.outputs.get("ReleaseBucketName") if there == target.template.body else None


def carry(site: Site, bucket: str, request: Request, plan: Plan, steps: Steps, owner: Owner) -> Release:
    """Take the lock, begin or go on with the operation, do its steps; the release as it was recorded.

    Raises:
        LockHeld: another releases to this environment.
        Unfinished: another operation is unfinished there.
        GymopsError: a step failed, and what follows from that was done and recorded.
    """
    objects, name = site.objects(bucket), site.deployment.name
    with (
        doubtful(f"{request.verb} {name} may have begun", f"again: {request.command}"),
        site.lock(bucket, owner).take(lambda: settled(site)) as held,
    ):
        entry = Journal(objects, name, site.clock).begin(replace(request, known=steps.known()), plan, held)
        steps.operation = lambda: entry.operation
        done = carry_out(entry, plan, site.clock, lambda operation: tell(site, operation))
    number = done.results.get("record")
    if not isinstance(number, int):
        raise GymopsError(f"{done.id} ended without a record", hint=f"gymops status {name}")
    return site.ledger(bucket).get(number)


@contextmanager
def doubtful(what: str, hint: str) -> Iterator[None]:
    """No answer is no failure: what was asked for may be done, or going on.

    Raises:
        Unknown: instead of an error that leaves that open.
    """
    try:
        yield
    except GymopsError as error:
        if not error.unknown or error.exit_code == Unknown.exit_code:
            raise
        first = f"{error.hint}; then " if error.hint else ""
        raise Unknown(f"{what}: {error.message}", hint=f"{first}{hint}") from error


def left(site: Site, bucket: str, verb: str) -> Operation | None:
    """What this verb began, and nobody saw the end of: the same command goes on with it, whatever was
    released since.
    """
    objects, name = site.objects(bucket), site.deployment.name
    last = Journal(objects, name, site.clock).latest()
    if last is None or last.request.verb != verb:
        return None
    return last if not last.finished or unseen(last, working_on(objects, name)) else None


def settled(site: Site) -> bool:
    """Whether no stack of the environment is moving."""
    for one in site.deployment.stacks():
        found = site.reader(site.deployment.region_of(one)).stack(site.deployment.stack_name(one))
        if found is not None and found.busy:
            return False
    return True


def tell(site: Site, operation: Operation) -> None:
    """Each step once, when it begins."""
    step = operation.current
    if step is not None and step.state is State.BEGUN:
        again = f" (attempt {step.attempt})" if step.attempt > 1 else ""
        site.talk.say(f"{operation.request.verb} {operation.environment}: {step.name}{again}")
