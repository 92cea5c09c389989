"""IAM: who may do what.

cfn-lint knows the actions that exist and the ARNs they take (W3037, I3510), from tables that are newer than
parliament's: its last release, and its table of actions, are of April 2025, so it calls later actions
unknown; it opens files it does not close, and reads its settings with a parser of 2016. What it would add
that matters here are the few rules below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gymops.deploy.rules import Found, Subject, listed, rule, strings
from gymops.deploy.syntax import Lines
from gymops.deploy.template import Steps, Template

Statement = tuple[Steps, Lines]

_STAR_ACTION = re.compile(r"\*|[a-z0-9-]+:\*", re.IGNORECASE)

_ESCALATING = frozenset(
    {
        "iam:createpolicyversion",
        "iam:setdefaultpolicyversion",
        "iam:attachrolepolicy",
        "iam:putrolepolicy",
        "iam:updateassumerolepolicy",
        "iam:createaccesskey",
        "iam:attachuserpolicy",
        "iam:putuserpolicy",
        "lambda:updatefunctioncode",
    }
)
"""Each lets its holder become somebody with more rights, whatever the rest of the policy says."""


def statements(template: Template) -> Iterator[Statement]:
    """Every statement of every policy document, wherever a resource holds one, also inside Fn::If."""
    for resource in template.resources():
        yield from _search(resource.properties, ("Resources", resource.name, "Properties"))


def _search(value: Any, path: tuple[str | int, ...]) -> Iterator[Statement]:
    if isinstance(value, Lines):
        if "Effect" in value and ({"Action", "NotAction"} & set(value)):
            yield path, value
            return
        for key, item in value.items():
            yield from _search(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _search(item, (*path, number))


def _sid(statement: Lines) -> str:
    return str(statement.get("Sid", ""))


@rule("G001")
def wide_action(subject: Subject) -> Iterator[Found]:
    """No action is "*" or "service:*"; a wildcard inside a name is one too."""
    for path, statement in statements(subject.template):
        for action in strings(statement.get("Action", [])):
            if "*" in action:
                kind = (
                    "every action of a service" if _STAR_ACTION.fullmatch(action) else "actions by a pattern"
                )
                yield Found((*path, "Action"), f"{action!r} allows {kind}; name each", _sid(statement))
        if "NotAction" in statement:
            yield Found((*path, "NotAction"), "all actions but a few; name those meant", _sid(statement))


@rule("G002")
def wide_resource(subject: Subject) -> Iterator[Found]:
    """No statement is about every resource."""
    for path, statement in statements(subject.template):
        if "*" in strings(statement.get("Resource", [])):
            yield Found((*path, "Resource"), "every resource; name those meant", _sid(statement))
        if "NotResource" in statement:
            yield Found((*path, "NotResource"), "all resources but a few; name those meant", _sid(statement))


@rule("G003")
def resource_by_pattern(subject: Subject) -> Iterator[Found]:
    """A pattern in a resource has its reason beside it."""
    for path, statement in statements(subject.template):
        for resource in strings(statement.get("Resource", [])):
            if "*" in resource and resource != "*":
                yield Found((*path, "Resource"), f"a pattern: {resource}", _sid(statement))


@rule("G004")
def anybody(subject: Subject) -> Iterator[Found]:
    """Nothing is for everybody."""
    for path, statement in statements(subject.template):
        if "*" in strings(statement.get("Principal", [])) or "NotPrincipal" in statement:
            yield Found((*path, "Principal"), "everybody; name who is meant", _sid(statement))


@rule("G005")
def pass_role(subject: Subject) -> Iterator[Found]:
    """A role is passed to a named service only: iam:PassRole has iam:PassedToService beside it."""
    for path, statement in statements(subject.template):
        actions = {action.lower() for action in strings(statement.get("Action", []))}
        conditions = {text.lower() for text in _keys(statement.get("Condition", {}))}
        if "iam:passrole" in actions and "iam:passedtoservice" not in conditions:
            yield Found((*path, "Action"), "any service gets the role; say which", _sid(statement))


@rule("G006")
def escalation(subject: Subject) -> Iterator[Found]:
    """No statement allows what lets its holder take more rights."""
    for path, statement in statements(subject.template):
        if statement.get("Effect") != "Allow":
            continue
        for action in strings(statement.get("Action", [])):
            if action.lower() in _ESCALATING:
                yield Found((*path, "Action"), f"{action} lets its holder take other rights", _sid(statement))


@rule("G007")
def nameless_statement(subject: Subject) -> Iterator[Found]:
    """Every statement has a Sid of its own in its policy: reasons and messages name it."""
    seen: set[tuple[Any, ...]] = set()
    for path, statement in statements(subject.template):
        sid = statement.get("Sid")
        if not isinstance(sid, str) or not re.fullmatch("[A-Za-z0-9]+", sid):
            yield Found(path, "a statement without a Sid; give it one, letters and digits")
        elif (path[1], sid) in seen:
            yield Found(path, f"the resource has two statements {sid}", sid)
        else:
            seen.add((path[1], sid))


@rule("G008")
def role_by_ref(subject: Subject) -> Iterator[Found]:
    """A role's ARN is asked for with GetAtt: its Ref is its name."""
    roles = {resource.name for resource in subject.template.resources("AWS::IAM::Role")}
    for resource in subject.template.resources():
        for path, key, value in _pairs(resource.properties, ("Resources", resource.name, "Properties")):
            named = key == "Role" or key.lower().endswith("rolearn")
            if not named or resource.kind in {"AWS::IAM::InstanceProfile", "AWS::IAM::Policy"}:
                continue
            for one in listed(value):
                if isinstance(one, dict) and one.get("Ref") in roles:
                    yield Found(path, f"an ARN is wanted; write !GetAtt {one['Ref']}.Arn")


def _pairs(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[Steps, str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key), key, item
            yield from _pairs(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _pairs(item, (*path, number))


def _keys(value: Any) -> Iterator[str]:
    for _, key, _ in _pairs(value, ()):
        yield key
