"""The architectures as tests see them: their stacks put together, and the values of each environment."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any

from gymops.deploy import rules
from gymops.deploy.evaluate import evaluate
from gymops.deploy.lint import LATER, _Suppressions
from gymops.deploy.parameters import complete
from gymops.deploy.rules import Subject
from gymops.deploy.syntax import Lines, parse
from gymops.deploy.template import Architecture, Template, architecture, compose, names

EVERYTHING_ON: Mapping[str, str] = {
    "OperationsHandler": "gymops.handler",
    "AuditHandler": "gymops.handler",
    "CopyVaultArn": "arn:aws:backup:us-east-1:123456789012:backup-vault:copies",
    "AlertEmail": "someone@example.com",
    "SourceRepository": "owner/name",
    "ReleasePolicies": "arn:aws:iam::123456789012:policy/release",
    "PromotionPolicies": "arn:aws:iam::123456789012:policy/promotion",
    "GymopsPackage": "gymops==1.0.0",
}
"""What an operator adds: without it some resources have no values to compare."""


TITAN = "titan-trakr"


@cache
def shipped(name: str) -> Architecture:
    return architecture(name)


def titan() -> Architecture:
    return shipped(TITAN)


@cache
def stack(name: str, of: str = TITAN) -> Template:
    return compose(shipped(of).stack(name).template)


def stacks() -> list[tuple[str, str]]:
    """(architecture, stack), every one."""
    return [(of, one.name) for of in names() for one in shipped(of).stacks]


def environments(of: str = TITAN) -> list[str]:
    """Those of an account, and not of this machine."""
    return [name for name in shipped(of).environments if name != "local"]


def values(template: Template, environment: str, of: str = TITAN) -> dict[str, str]:
    """Every parameter of a stack in an environment, as a deploy would give them."""
    given = {**LATER, **EVERYTHING_ON, **shipped(of).environments[environment]}
    known = {name: value for name, value in given.items() if name in template.parameters}
    outputs = {name for one in shipped(of).stacks for name in stack(one.name, of).body.get("Outputs") or ()}
    return complete(template, known, whose=environment, later=outputs)


def subject(template: Template, of: str = TITAN) -> Subject:
    names = environments(of) if "Environment" in template.parameters else []
    return Subject(template, {name: values(template, name, of) for name in names} or {"prod": {}})


def found(template: Template, of: str = TITAN) -> set[tuple[str, str]]:
    """What our rules find that has no reason beside it, as (code, resource); flaws of the reasons too."""
    suppressions = _Suppressions(template)
    result = {
        (code, str(one.path[1]))
        for code, rule in rules.every().items()
        for one in rule(subject(template, of))
        if not suppressions.cover(code, one.path, one.what)
    }
    return result | {(code, str(one.path[1])) for code, one in suppressions.flaws() if code != "G062"}


def written(text: str) -> Template:
    """A template from a test's own text."""
    return Template("test.yaml", parse(text, "test.yaml"))


def changed(template: Template) -> Template:
    """A copy to change."""
    return Template(template.name, copy.deepcopy(template.body), template.origin)


def value(template: Template, path: str, environment: str, of: str = TITAN) -> Any:
    """What stands at ``Resource.Property.0.Name`` in an environment.

    Raises:
        LookupError: nothing does.
    """
    name, _, rest = path.partition(".")
    body = template.body["Resources"][name]
    here = evaluate(body.get("Properties", Lines()), template, values(template, environment, of))
    for step in rest.split("."):
        here = here[int(step)] if isinstance(here, list) else here[step]
    return here
