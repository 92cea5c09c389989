"""A template's parameters: what may be given, what is missing, and what each comes to."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any

from gymops.deploy.evaluate import evaluate
from gymops.deploy.template import Template
from gymops.errors import ConfigError

SECRETIVE = "NoEcho"


def complete(
    template: Template, given: Mapping[str, str], *, whose: str, later: Collection[str] = ()
) -> dict[str, str]:
    """Every parameter with its value; ``whose`` begins the message, as in "prod". What is given ``later``, by
    a stack that is made before this one, may have none yet.

    Raises:
        ConfigError: a parameter is unknown or missing, a value is outside what the template allows, or a rule
            of the template does not hold. A value that must not be shown is not shown.
    """
    declared = template.parameters
    for name in given:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            raise ConfigError(
                f"{whose}: no parameter {name!r}{f'; did you mean {near[0]}?' if near else ''}",
                hint=f"known parameters: {', '.join(declared)}",
            )
    values = {}
    for name, declaration in declared.items():
        if name not in given and "Default" not in declaration:
            if name in later:
                continue
            raise ConfigError(
                f"{whose}: the parameter {name} is missing",
                hint=f"{declaration.get('Description', 'it has no default')}",
            )
        values[name] = given.get(name, _text(declaration.get("Default", "")))
        if name in given:
            _allow(name, values[name], declaration, whose)
    _hold(template, values, whose)
    return values


def _allow(name: str, value: str, declaration: Mapping[str, Any], whose: str) -> None:
    """Refuse a value as CloudFormation would."""
    why = _wrong(value, declaration)
    if why:
        shown = "its value" if declaration.get(SECRETIVE) else repr(value)
        raise ConfigError(
            f"{whose}: the parameter {name}: {shown} {why}", hint=str(declaration.get("Description", ""))
        )


def _wrong(value: str, declaration: Mapping[str, Any]) -> str | None:
    allowed = [_text(one) for one in declaration.get("AllowedValues", ())]
    if allowed and value not in allowed:
        return f"is none of {', '.join(one or '(empty)' for one in allowed)}"
    pattern = declaration.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        return f"does not match {pattern}"
    if declaration.get("Type") == "Number":
        return _outside(value, declaration)
    shortest, longest = declaration.get("MinLength", 0), declaration.get("MaxLength", 4096)
    if not int(shortest) <= len(value) <= int(longest):
        return f"has {len(value)} characters; {shortest} to {longest} are allowed"
    return None


def _outside(value: str, declaration: Mapping[str, Any]) -> str | None:
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", value):
        return "is no number"
    least, most = declaration.get("MinValue"), declaration.get("MaxValue")
    if (least is not None and float(value) < float(least)) or (
        most is not None and float(value) > float(most)
    ):
        return f"is not between {'-' if least is None else least} and {'-' if most is None else most}"
    return None


def _hold(template: Template, values: Mapping[str, str], whose: str) -> None:
    """Refuse what the template's own rules refuse, before a call is made."""
    for rule in template.rules.values():
        if "RuleCondition" in rule and evaluate(rule["RuleCondition"], template, values) is not True:
            continue
        for assertion in rule.get("Assertions", ()):
            if evaluate(assertion["Assert"], template, values) is False:
                raise ConfigError(
                    f"{whose}: {assertion.get('AssertDescription', 'a rule of the template does not hold')}",
                    hint=f"change the parameters of {whose}",
                )


def _text(value: Any) -> str:
    """A default as CloudFormation's parameters have it: text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
