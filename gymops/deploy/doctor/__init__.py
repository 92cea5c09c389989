"""``gymops doctor``: what would break a deploy, found before it; each finding with its fix.

Nothing is written. It works before the first deploy, when there is no stack yet, and after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from gymops.deploy.doctor import credentials, domains, own
from gymops.deploy.doctor.findings import SECONDS, Check, Examination, Finding, examine
from gymops.deploy.doctor.inventory import Made, inventory
from gymops.deploy.doctor.permissions import permissions
from gymops.deploy.doctor.policy import Policy, of_roles, policy
from gymops.deploy.doctor.port import Patient
from gymops.deploy.doctor.quotas import quotas
from gymops.deploy.doctor.rights import rights
from gymops.deploy.doctor.roles import roles
from gymops.deploy.doctor.stacks import stacks
from gymops.deploy.doctor.versions import versions
from gymops.deploy.environment import Deployment

__all__ = ["Examination", "Patient", "Policy", "doctor", "needed"]

_BY_TEMPLATE: dict[str, Callable[[Patient, list[Made]], Iterator[Finding]]] = {
    "permissions": permissions,
    "quotas": quotas,
    "service-linked roles": roles,
    "domains": domains.zones,
    "aliases": domains.aliases,
    "certificate": domains.certificates,
    "versions": versions,
}


def doctor(patient: Patient, *, seconds: float = SECONDS) -> Examination:
    """Look at everything at once.

    Raises:
        ConfigError: a template cannot be read.
    """
    made = inventory(patient.deployment, {"Runtime": patient.runtime})
    return examine(patient.deployment.name, checks(patient, made), seconds=seconds)


def checks(patient: Patient, made: list[Made]) -> list[Check]:
    """Everything that is looked at, in the order it is told."""
    return [
        Check("credentials", partial(credentials.credentials, patient)),
        Check("clock", partial(credentials.time, patient)),
        Check("stacks", partial(stacks, patient)),
        *(Check(name, partial(look, patient, made)) for name, look in _BY_TEMPLATE.items()),
    ]


def needed(deployment: Deployment) -> Policy:
    """The policy for whoever deploys this environment; AWS is not asked.

    Raises:
        ConfigError: a template cannot be read.
    """
    made = inventory(deployment, {})
    kinds = frozenset(one.kind for one in made)
    found = rights(kinds)
    restore = own.RESTORE | own.AUDIT if "AWS::RDS::DBInstance" in kinds else frozenset()
    restore |= own.TABLES if "AWS::DynamoDB::Table" in kinds else frozenset()
    actions = own.actions(kinds) | restore | own.DOCTOR | found.core | found.other
    return policy(actions, _roles(deployment, made) if of_roles(actions) else ())


def _roles(deployment: Deployment, made: list[Made]) -> list[str]:
    """The roles that the templates make, by the names they give or by those CloudFormation gives."""
    account = deployment.account or "*"
    names = set[str]()
    for one in made:
        if one.kind == "AWS::IAM::Role":
            given = one.properties.get("RoleName")
            names.add(given if isinstance(given, str) else f"{one.stack}-*")
    if not names:
        names = {f"{deployment.prefix}-*"}
    wide = {one for one in names if one.endswith("*")}
    mine = (one for one in names if not any(one != other and one.startswith(other[:-1]) for other in wide))
    return [f"arn:aws:iam::{account}:role/{one}" for one in sorted(mine)]
