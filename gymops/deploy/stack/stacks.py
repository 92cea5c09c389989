"""Deploying one stack: look, decide, recover, preview, guard the data, execute, wait, explain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from gymops.deploy.stack import capabilities, changeset, compare, events, explaining, gate
from gymops.deploy.stack.changeset import Upload
from gymops.deploy.stack.errors import RollbackFailed, StackFailed
from gymops.deploy.stack.masking import Masker, masker
from gymops.deploy.stack.port import CloudFormation, Reader, Stack, StackResource, StackTarget
from gymops.deploy.stack.preview import Preview, parameter_changes
from gymops.deploy.stack.status import Action, Decision, Ending, decide, ending
from gymops.deploy.stack.waiting import Means, Waiting, follow
from gymops.deploy.syntax import Lines, TemplateError, parse
from gymops.deploy.template import Template
from gymops.errors import GateRefused, Interrupted

_STEPS = 12
"""Recoveries in a row after which a stack is given up: it goes in a circle."""


@dataclass(frozen=True)
class Recovery:
    """Something to be done to a stack before it can be deployed to, that a person must agree to."""

    stack: str
    decision: Decision
    skip: tuple[StackResource, ...] = ()
    """The resources whose rollback would be skipped: they stay as they are, whatever the template says."""


@dataclass(frozen=True)
class Deployed:
    """A stack that is as it was wanted."""

    stack: Stack
    changed: bool
    change_set: str = ""

    @property
    def outputs(self) -> Mapping[str, str]:
        """What the stack gives to others. A value may be secret; ``Masker.parameters`` shows them."""
        return self.stack.outputs


Agree = Callable[[Recovery], bool]
Confirm = Callable[[Preview], bool]


Looked = tuple[Stack | None, Decision]


def look(reader: Reader, name: str) -> Looked:
    """The stack, and what to do about the state it is in."""
    stack = reader.stack(name)
    decision = decide(stack.status if stack else None)
    if stack is not None and decision.action is Action.CLEAN_UP:
        decision = decide(stack.status, _left(reader, stack))
    return stack, decision


def dry_run(reader: Reader, target: StackTarget) -> Preview:
    """What deploying would do, as far as comparing templates can tell; it has nothing to write with.

    Raises:
        GateRefused: nothing leads out of the state the stack is in.
    """
    stack, decision = look(reader, target.name)
    _refuse(target.name, decision)
    fresh = stack is None or decision.action in {Action.CREATE, Action.CLEAN_UP}
    present = Lines() if fresh or stack is None else _present(reader, stack)
    hidden = masker([present, target.template.body], target.parameters)
    before = {} if fresh or stack is None else stack.parameters
    changes = compare.compare(
        compare.Side(Template("the present template", present), before),
        compare.Side(target.template, _complete(target)),
    )
    first = () if decision.action in {Action.CREATE, Action.UPDATE} else (f"before it: {decision.why}",)
    return Preview(
        target=target,
        create=fresh,
        changes=tuple(map(hidden.change, changes)),
        parameters=() if fresh else parameter_changes(before, _complete(target), hidden),
        capabilities=capabilities.needed(target.template),
        dangers=gate.dangers(changes, present),
        touched=gate.touched(changes),
        limits=first + compare.LIMITS,
        masker=hidden,
    )


class Stacks:
    """Deploys and deletes stacks in one account and region."""

    def __init__(self, client: CloudFormation, means: Means, *, upload: Upload | None = None) -> None:
        self._client = client
        self._means = means
        self._upload = upload

    def deploy(
        self,
        target: StackTarget,
        *,
        token: str,
        confirm: Confirm,
        agree: Agree,
        allowed: Collection[str] = (),
    ) -> Waiting[Deployed]:
        """The whole way. ``token`` is the operation's: the same one again goes on where it stopped.

        ``confirm`` is shown the preview, ``agree`` a recovery that needs a person; ``allowed`` are the
        resources that may be removed or replaced although they hold data.

        Raises:
            GateRefused, StackMoved, ChangeSetFailed: nothing was changed.
            StackFailed, RolledBack, RollbackFailed: with the cause.
            Unknown: it goes on, and nobody here knows how.
            Interrupted: ``confirm`` said no; nothing was changed.
        """
        settled = yield from self.settle(target.name, token=token, agree=agree)
        preview = self.preview(target, token=token, settled=settled)
        if preview is None:
            return _unchanged(target.name, settled[0])
        try:
            gate.check(preview.dangers, allowed)
            if not confirm(preview):
                raise Interrupted("stopped before anything was changed", hint="run it again when ready")
        except BaseException:
            self.decline(preview)
            raise
        return (yield from self.execute(preview, token=token, allowed=allowed))

    def settle(self, name: str, *, token: str, agree: Agree) -> Waiting[Looked]:
        """Bring the stack into a state that can be deployed to: wait, roll back, clean up. How it is then.

        Raises:
            GateRefused: nothing leads out of its state, or ``agree`` said no.
            StackFailed: an interrupted run's own operation, waited for here, failed; or the recovery did.
        """
        for step in range(_STEPS):
            stack, decision = look(self._client, name)
            _refuse(name, decision)
            if decision.action in {Action.CREATE, Action.UPDATE} or stack is None:
                return stack, decision
            part = f"{token}-recover-{step}"
            if decision.action is Action.WAIT:
                yield from self._wait_for_other(stack, token)
            elif decision.action is Action.CLEAN_UP:
                if decision.confirm and not agree(Recovery(name, decision)):
                    raise GateRefused(
                        f"{name} is {decision.status} and must be deleted first, with what is left in it:"
                        f" {', '.join(decision.live) or 'nothing'}",
                        hint=f"agree to it, or look at it first: {self._means.attach}",
                    )
                yield from self._delete(stack, part)
            else:
                yield from self._roll_back(stack, decision, part, agree)
        raise StackFailed(f"{name} does not come to rest", hint=f"look at it: {self._means.attach}")

    def preview(self, target: StackTarget, *, token: str, settled: Looked | None = None) -> Preview | None:
        """Make a change set and read it; None if there is nothing to change. ``settled``: how the stack is.

        Raises:
            ConfigError: a capability is missing.
            ChangeSetFailed, StackMoved: nothing was changed.
        """
        capabilities.check(target.template, target.capabilities)
        stack, decision = settled or look(self._client, target.name)
        create = decision.action is Action.CREATE
        made = changeset.make(
            self._client, target, stack, create=create, token=token, clock=self._means.clock,
            upload=self._upload,
        )  # fmt: skip
        if made is None:
            return None
        present = _present(self._client, stack) if stack and not create else Lines()
        hidden = masker([present, target.template.body], target.parameters)
        before = stack.parameters if stack and not create else {}
        return Preview(
            target=target,
            create=create,
            changes=tuple(map(hidden.change, made.changes)),
            parameters=() if create else parameter_changes(before, _complete(target), hidden),
            capabilities=capabilities.needed(target.template),
            dangers=gate.dangers(made.changes, present),
            touched=gate.touched(made.changes),
            change_set=made.change_set.arn,
            moment=made.moment,
            made=made.made_stack,
            masker=hidden,
        )

    def decline(self, preview: Preview) -> None:
        """Leave nothing of a preview: neither the change set nor a stack that was there only for it."""
        if preview.change_set:
            changeset.decline(self._client, preview.change_set, preview.made)

    def execute(self, preview: Preview, *, token: str, allowed: Collection[str] = ()) -> Waiting[Deployed]:
        """Execute what was previewed, if the stack has not moved since, and wait for the end.

        Raises:
            GateRefused: it could lose data, and not all of that is ``allowed``.
            StackMoved: nothing was changed.
            StackFailed, RolledBack, RollbackFailed, Unknown: as ``deploy``.
        """
        if preview.moment is None:
            raise ValueError("a dry run cannot be executed")
        gate.check(preview.dangers, allowed)
        changeset.execute(self._client, preview.change_set, preview.moment, token)
        stack = Stack(preview.moment.id, preview.target.name, preview.moment.status)
        stack = yield from self._await(stack, preview.masker, after=preview.moment.event)
        return Deployed(stack, changed=True, change_set=preview.change_set)

    def attach(self, name: str) -> Waiting[Deployed]:
        """Wait for the operation that runs, or explain the last one if none does.

        Raises:
            StackFailed, RolledBack, RollbackFailed, Unknown: as ``deploy``.
        """
        stack = self._client.stack(name)
        if stack is None:
            raise StackFailed(f"there is no stack {name}", hint="a release makes it")
        found = yield from self._await(stack, self._masker(stack))
        return Deployed(found, changed=True)

    def delete(self, name: str, *, token: str, retain: Sequence[str] = ()) -> Waiting[None]:
        """Delete the stack and wait for it. Whether what it holds may go, the caller has made sure of.

        ``retain`` leaves resources alone that could not be deleted; it is for a stack in DELETE_FAILED.

        Raises:
            GateRefused: it is protected against deletion.
            StackFailed: some resources could not be deleted; they are named.
        """
        stack = self._client.stack(name)
        if stack is not None and stack.busy:
            yield from follow(self._client, stack, self._means, mask=self._masker(stack).text)
            stack = self._client.stack(name)
        if stack is not None:
            yield from self._delete(stack, token, retain)

    def _delete(self, stack: Stack, token: str, retain: Sequence[str] = ()) -> Waiting[None]:
        if stack.protected:
            raise GateRefused(
                f"{stack.name} is protected against deletion",
                hint="aws cloudformation update-termination-protection --no-enable-termination-protection"
                f" --stack-name {stack.name}",
            )
        pinned = changeset.moment(self._client, stack.id)
        hidden = self._masker(stack)
        self._client.delete(stack.id, token, retain=retain)
        after = pinned.event if pinned else ""
        began = Stack(stack.id, stack.name, "DELETE_IN_PROGRESS")
        found = yield from follow(self._client, began, self._means, after=after, mask=hidden.text)
        if ending(found.status, deleting=True) is Ending.DONE:
            return
        left = [one.name for one in _left(self._client, found) if one.status == "DELETE_FAILED"]
        error = explaining.failed(self._client, found, Ending.FAILED, self._means.probes, hidden, after=after)
        names = ", ".join(left) or "AWS names none"
        raise StackFailed(
            f"{error.message}; not deleted: {names}",
            hint=error.hint,
            status=found.status,
            diagnosis=error.diagnosis,
        )

    def _roll_back(self, stack: Stack, decision: Decision, token: str, agree: Agree) -> Waiting[None]:
        """Roll a failed update back, or go on with a rollback that failed; skip only what is named."""
        skip: Sequence[str] | None = () if decision.action is Action.CONTINUE_ROLLBACK else None
        hidden = self._masker(stack)
        for turn in range(_STEPS):
            pinned = changeset.moment(self._client, stack.id)
            after = pinned.event if pinned else ""
            self._client.roll_back(stack.id, f"{token}-{turn}", skip=skip)
            began = Stack(stack.id, stack.name, "UPDATE_ROLLBACK_IN_PROGRESS")
            found = yield from follow(self._client, began, self._means, after=after, mask=hidden.text)
            if ending(found.status, recovering=True) is Ending.DONE:
                return
            left = tuple(
                StackResource(one.name, one.kind, one.physical, one.status, hidden.text(one.reason))
                for one in events.stuck(events.of_operation(self._client.events(stack.id)))
            )
            if left and agree(Recovery(stack.name, decision, left)):
                skip = [one.name for one in left]
                continue
            error = explaining.failed(
                self._client, found, Ending.ROLLBACK_FAILED, self._means.probes, hidden, after=after
            )
            names = ", ".join(one.name for one in left) or "AWS names none"
            raise RollbackFailed(
                f"{error.message}; not rolled back: {names}",
                hint=f"{error.hint}; or agree to skipping them, and they stay as they are",
                status=found.status,
                diagnosis=error.diagnosis,
            )
        raise RollbackFailed(f"{stack.name} does not come to rest", status=stack.status)

    def _wait_for_other(self, stack: Stack, token: str) -> Waiting[None]:
        """Wait for an operation that runs already; one that an interrupted run of ours began ends as ours."""
        hidden = self._masker(stack)
        found = yield from follow(self._client, stack, self._means, mask=hidden.text)
        ours = any(event.token == token for event in events.of_operation(self._client.events(stack.id)))
        end = ending(found.status, deleting=stack.status.startswith("DELETE"))
        if ours and end is not Ending.DONE:
            raise explaining.failed(self._client, found, end, self._means.probes, hidden)

    def _await(self, stack: Stack, hidden: Masker, after: str = "") -> Waiting[Stack]:
        found = yield from follow(self._client, stack, self._means, after=after, mask=hidden.text)
        end = ending(found.status)
        if end is not Ending.DONE:
            raise explaining.failed(self._client, found, end, self._means.probes, hidden, after=after)
        return found

    def _masker(self, stack: Stack) -> Masker:
        return masker([_present(self._client, stack)], stack.parameters)


def _unchanged(name: str, stack: Stack | None) -> Deployed:
    if stack is None:
        raise StackFailed(f"{name} is gone", hint="run the same again")
    return Deployed(stack, changed=False)


def _left(reader: Reader, stack: Stack) -> list[StackResource]:
    """The stack's resources, and those it does not list although deleting them failed."""
    found = list(reader.resources(stack.id))
    last = events.states(events.of_operation(reader.events(stack.id)))
    named = {one.name for one in found}
    return found + [
        StackResource(one.name, one.kind, one.physical, one.status, one.reason)
        for one in last.values()
        if one.status == "DELETE_FAILED" and one.name not in named
    ]


def _present(reader: Reader, stack: Stack) -> Lines:
    """The template the stack has now; empty if it has none, or one that AWS reads and we do not."""
    if stack.status in {"REVIEW_IN_PROGRESS", "DELETE_COMPLETE"}:
        return Lines()
    try:
        return parse(reader.template(stack.id), f"the template of {stack.name}")
    except TemplateError:
        return Lines()


def _complete(target: StackTarget) -> dict[str, str]:
    """The target's parameters with the defaults of those that are not given."""
    declared = target.template.parameters
    defaults = {name: str(one["Default"]) for name, one in declared.items() if "Default" in one}
    return {**defaults, **target.parameters}


def _refuse(name: str, decision: Decision) -> None:
    if decision.action is Action.REFUSE:
        raise GateRefused(
            f"{name} is {decision.status}: {decision.why}",
            hint="gymops runbook show stuck-stack: section 5 leads out, with a snapshot first",
        )
