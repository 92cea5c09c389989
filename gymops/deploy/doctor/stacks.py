"""The state each stack is in, and what the next deploy would do about it."""

from __future__ import annotations

from collections.abc import Iterator

from gymops.deploy.doctor.findings import Finding, failed, ok, warning
from gymops.deploy.doctor.port import Patient
from gymops.deploy.stack.stacks import look
from gymops.deploy.stack.status import Action, Decision

_DOES = {
    Action.WAIT: "waits for it",
    Action.ROLL_BACK: "rolls it back first",
    Action.CONTINUE_ROLLBACK: "goes on with the rollback first, and names what it would have to skip",
    Action.CLEAN_UP: "deletes what is left of it first, and asks before it does",
}
_RUNBOOK = "gymops runbook show stuck-stack"


def stacks(patient: Patient) -> Iterator[Finding]:
    """Look at each of the environment's stacks.

    Raises:
        AwsError: CloudFormation does not answer.
    """
    deployment = patient.deployment
    found = dict[str, Decision]()
    for one in deployment.stacks():
        name = deployment.stack_name(one)
        stack, decision = look(patient.reader(deployment.region_of(one)), name)
        if stack is not None:
            found[name] = decision
    for name, decision in found.items():
        what = f"{name} is {decision.status}: {decision.why}"
        if decision.action is Action.REFUSE:
            yield failed(what, _RUNBOOK)
        elif decision.action in _DOES:
            yield warning(f"{what}; a deploy {_DOES[decision.action]}", _RUNBOOK)
    steady = [name for name, one in found.items() if one.action in {Action.CREATE, Action.UPDATE}]
    if steady or not found:
        yield ok(f"at rest: {', '.join(steady)}" if steady else "there are none yet")
