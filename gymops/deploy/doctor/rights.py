"""Which actions CloudFormation does in the caller's name, out of the resource types' own schemas.

A schema lists what its handlers may ever ask for, whatever properties are set. Of these the *core* is what
makes, changes and deletes a resource of the type itself: without it nothing works. The rest may be needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from gymops.deploy.stack import kinds

_HANDLERS = ("create", "update", "delete", "read")
_READS = ("Get", "List", "Describe")
_MAKING = ("Create", "Put", "Request", "Change", "Run", "Register")


@dataclass(frozen=True)
class Rights:
    """The actions that some resource types need."""

    core: frozenset[str]
    other: frozenset[str]
    unknown: tuple[str, ...]
    """The types that have no schema, or one that does not say."""


def rights(types: Iterable[str]) -> Rights:
    """What making, changing and deleting resources of these types needs."""
    core, other, unknown = set[str](), set[str](), list[str]()
    for kind in sorted(set(types)):
        found = _of(kind)
        if not found:
            unknown.append(kind)
        mine = _core(kind, found)
        core |= mine
        other |= found - mine
    return Rights(frozenset(core), frozenset(other - core), tuple(unknown))


def reads(action: str) -> bool:
    """Whether an action changes nothing."""
    return action.partition(":")[2].startswith(_READS)


@cache
def _of(kind: str) -> frozenset[str]:
    """All actions of a type that IAM knows: some schemas list what is none."""
    listed = kinds.permissions(kind, _HANDLERS)
    found = frozenset(f"{service.lower()}:{name}" for service, name in listed if _exists(service, name))
    return found | _UNSAID.get(kind, frozenset())


def _core(kind: str, actions: frozenset[str]) -> frozenset[str]:
    """As ``lambda:CreateFunction`` of a function; if none is so named, what its service makes."""
    _, service, name = kind.split("::")[:3] if kind.count("::") == 2 else ("", "", "")
    changes = {one for one in actions if not reads(one)}
    named = {one for one in changes if re.fullmatch(rf"[A-Z][a-z]+{name}s?", one.partition(":")[2], re.I)}
    own = {one for one in changes if _same(one.partition(":")[0], service)}
    making = {one for one in own if one.partition(":")[2].startswith(_MAKING)}
    passed = actions & {"iam:PassRole"}
    return frozenset((own & named or making or own) | passed)


def _same(prefix: str, service: str) -> bool:
    return prefix == _PREFIXES.get(service, service.lower())


_PREFIXES = {
    "ApplicationAutoScaling": "application-autoscaling", "CertificateManager": "acm",
    "ElasticLoadBalancingV2": "elasticloadbalancing", "StepFunctions": "states", "EFS": "elasticfilesystem",
    "OpenSearchService": "es", "Elasticsearch": "es", "ServiceCatalogAppRegistry": "servicecatalog",
    "Cognito": "cognito-idp", "ApiGatewayV2": "apigateway",
}  # fmt: skip
"""The service of a type -> the prefix of its actions, where they differ."""


_UNSAID = {
    "AWS::ApiGatewayV2::Stage": frozenset({
        "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries",
        "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
    }),
}  # fmt: skip
"""What a type asks for with some settings, and its schema leaves out: here access logs.

Source: API Gateway's developer guide, "Configure logging for HTTP APIs".
"""


@cache
def _catalogue() -> dict[str, frozenset[str]]:
    """IAM's actions as cfn-lint knows them, in small letters."""
    from cfnlint.data import AdditionalSpecs
    from cfnlint.helpers import load_resource

    found = load_resource(AdditionalSpecs, "Policies.json")
    return {
        service.lower(): frozenset(one.lower() for one in told.get("Actions", ()))
        for service, told in found.items()
    }


def _exists(service: str, name: str) -> bool:
    """What is in no catalogue is taken as it is, as far as IAM could read it."""
    known = _catalogue().get(service.lower())
    return bool(re.fullmatch(r"[A-Za-z0-9*]+", name)) and (known is None or name.lower() in known)
