"""Whether the caller may do what a deploy does, as IAM itself works it out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from gymops.aws.session import AwsError
from gymops.deploy.doctor import own
from gymops.deploy.doctor.findings import Finding, failed, ok, skipped, untold, warning
from gymops.deploy.doctor.inventory import Made
from gymops.deploy.doctor.policy import of_roles
from gymops.deploy.doctor.port import Patient
from gymops.deploy.doctor.rights import rights

_SESSION = re.compile(r"arn:(?P<aws>[\w-]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/.+")
_SHOWN = 8


def permissions(patient: Patient, made: Sequence[Made]) -> Iterator[Finding]:
    """Simulate all that a deploy asks for.

    Raises:
        AwsError: nobody can be asked who calls.
    """
    if patient.deployment.local:
        yield skipped("the local AWS refuses no call for lack of a permission")
        return
    caller = patient.identity.caller()
    again = f"gymops doctor {patient.deployment.name} --policy prints a policy that allows what is needed"
    if caller.root:
        yield ok("the account's owner may do everything")
        return
    try:
        principal = _principal(patient, caller.arn)
        if principal is None:
            yield untold(f"what {caller.arn} may do cannot be simulated", f"use a role or a user; {again}")
            return
        yield from _simulated(patient, principal, caller.account, made, again)
    except AwsError as error:
        if not _refused(error):
            raise
        yield untold(
            f"simulating is not allowed: {error.message}",
            "allow iam:SimulatePrincipalPolicy and iam:GetRole on the role itself; or compare by hand:"
            f" {again}",
        )


def _simulated(
    patient: Patient, principal: str, account: str, made: Sequence[Made], again: str
) -> Iterator[Finding]:
    kinds = frozenset(one.kind for one in made)
    needed = rights(kinds)
    mine = own.actions(kinds)
    denied = _Simulation(patient, principal, account, made).denied(mine | needed.core | needed.other)
    for what, actions in (
        ("CloudFormation, to make what the templates say", needed.core), ("gymops itself", mine)
    ):  # fmt: skip
        missing = sorted(actions & denied)
        if missing:
            yield failed(f"{principal} lacks what is needed by {what}: {_list(missing)}", again)
    maybe = sorted(needed.other & denied - mine)
    if maybe:
        yield warning(
            f"{len(maybe)} actions are denied that these resource types ask for with some of their settings:"
            f" {_list(maybe)}",
            again,
        )
    if needed.unknown:
        yield warning(
            f"nobody says what {', '.join(needed.unknown)} need",
            "look it up in their documentation, and allow it",
        )
    if not denied:
        yield ok(f"{principal} may do all {len(mine | needed.core | needed.other)} actions")


class _Simulation:
    """Actions on anything; those denied there once more on what the environment's resources are called."""

    def __init__(self, patient: Patient, principal: str, account: str, made: Sequence[Made]) -> None:
        self._patient = patient
        self._principal = principal
        self._account = account
        self._region = patient.deployment.region
        self._aws = principal.split(":")[1]
        self._stacks = sorted({one.stack for one in made})

    def denied(self, actions: Collection[str]) -> set[str]:
        roles = of_roles(actions)
        named = [f"arn:{self._aws}:iam::{self._account}:role/{one}-gymops" for one in self._stacks]
        linked = {"iam:CreateServiceLinkedRole"} & set(actions)
        service = [f"arn:{self._aws}:iam::{self._account}:role/aws-service-role/rds.amazonaws.com/x"]
        found = set(self._ask(roles, named)) | set(self._ask(linked, service))
        first = set(self._ask(set(actions) - roles - linked, ["*"]))
        by_service = defaultdict[str, set[str]](set)
        for action in first:
            by_service[action.partition(":")[0]].add(action)
        for prefix, denied in by_service.items():
            resources = self._resources(prefix)
            found |= set(self._ask(denied, resources)) if resources else denied
        return found

    def _ask(self, actions: Collection[str], resources: Sequence[str]) -> Iterable[str]:
        if not actions:
            return ()
        context = {"aws:RequestedRegion": self._region}
        return self._patient.iam.denied(self._principal, sorted(actions), resources, context)

    def _resources(self, service: str) -> list[str]:
        """As what is made may be called: a policy may allow no more than that."""
        deployment = self._patient.deployment
        bucket = f"{deployment.app}-releases-{self._account}-{self._region}"
        name = deployment.prefix
        paths = {
            "s3": (bucket, f"{bucket}/x", name),
            "lambda": (f"function:{name}",), "rds": (f"db:{name}",), "sns": (name,), "sqs": (name,),
            "logs": (f"log-group:/aws/lambda/{name}:*",), "secretsmanager": (f"secret:{name}/x",),
            "dynamodb": (f"table/{name}",), "cloudformation": tuple(f"stack/{one}/x" for one in self._stacks),
            "cloudwatch": (f"alarm:{name}-x",), "backup": (f"backup-vault:{name}",),
            "ecr": (f"repository/{deployment.app}",), "ecs": (f"service/{name}/{name}",),
            "events": (f"rule/{name}",), "scheduler": (f"schedule/{name}/x", f"schedule-group/{name}"),
        }  # fmt: skip
        where = ":" if service == "s3" else f"{self._region}:{self._account}"
        return [f"arn:{self._aws}:{service}:{where}:{path}" for path in paths.get(service, ())]


def _principal(patient: Patient, arn: str) -> str | None:
    """The role of a session, or the user; None for what cannot be simulated."""
    session = _SESSION.fullmatch(arn)
    if session is None:
        return arn if ":user/" in arn or ":role/" in arn else None
    try:
        found = patient.iam.role(session["role"])
    except AwsError as error:
        if not _refused(error):
            raise
        found = None
    # A session's ARN leaves the role's path out; most have none.
    return found or f"arn:{session['aws']}:iam::{session['account']}:role/{session['role']}"


def _refused(error: AwsError) -> bool:
    return error.reason in {"AccessDenied", "AccessDeniedException", "NoSuchEntity"}


def _list(actions: Sequence[str]) -> str:
    more = f" and {len(actions) - _SHOWN} more" if len(actions) > _SHOWN else ""
    return ", ".join(actions[:_SHOWN]) + more
