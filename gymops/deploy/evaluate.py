"""What a piece of a template comes to, given its parameters; and what can be known of it without AWS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from gymops.deploy.template import Template


class _Token:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


UNKNOWN: Final = _Token("UNKNOWN")
"""What only AWS knows: an ARN, an address, the account."""
NOTHING: Final = _Token("NOTHING")
"""``AWS::NoValue``: the property is not there."""

_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")


def evaluate(value: Any, template: Template, parameters: Mapping[str, str]) -> Any:
    """The value with parameters, conditions and texts put in; ``UNKNOWN`` where only AWS can say."""
    return _Evaluation(template, parameters).value(value)


class _Evaluation:
    def __init__(self, template: Template, parameters: Mapping[str, str]) -> None:
        self._template = template
        self._parameters = parameters
        self._asked: set[str] = set()

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self.value, value) if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" and isinstance(argument, str):
                return self._ref(argument)
            if name == "Condition" and isinstance(argument, str):
                return self._condition(argument)
            if name.startswith("Fn::"):
                function = getattr(self, f"_{name.removeprefix('Fn::').lower()}", None)
                return function(argument) if function else UNKNOWN
        pairs = ((key, self.value(item)) for key, item in value.items())
        return {key: item for key, item in pairs if item is not NOTHING}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NOTHING
        return self._parameters.get(name, UNKNOWN)

    def _condition(self, name: str) -> Any:
        if name in self._asked or name not in self._template.conditions:
            return UNKNOWN  # it asks for itself, or does not exist: cfn-lint tells
        self._asked.add(name)
        try:
            return self.value(self._template.conditions[name])
        finally:
            self._asked.discard(name)

    def _if(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) != 3:
            return UNKNOWN
        chosen = self._condition(str(argument[0]))
        if chosen is UNKNOWN:
            return UNKNOWN
        return self.value(argument[1] if chosen else argument[2])

    def _equals(self, argument: Any) -> Any:
        left, right = (self.value(side) for side in argument)
        return UNKNOWN if UNKNOWN in (left, right) else _plain(left) == _plain(right)

    def _not(self, argument: Any) -> Any:
        found = self.value(argument[0])
        return UNKNOWN if found is UNKNOWN else not found

    def _and(self, argument: Any) -> Any:
        return _first([self.value(one) for one in argument], False)

    def _or(self, argument: Any) -> Any:
        return _first([self.value(one) for one in argument], True)

    def _sub(self, argument: Any) -> Any:
        text, given = argument if isinstance(argument, list) else (argument, {})
        values = {name: self._given(name, given) for name in _VARIABLE.findall(text)}
        if UNKNOWN in values.values():
            return UNKNOWN
        return _VARIABLE.sub(lambda found: _plain(values[found[1]]), text).replace("${!", "${")

    def _given(self, name: str, given: Mapping[str, Any]) -> Any:
        return self.value(given[name]) if name in given else self._ref(name)

    def _join(self, argument: Any) -> Any:
        separator, items = argument
        found = self.value(items)
        if not isinstance(found, list) or UNKNOWN in found:
            return UNKNOWN
        return str(separator).join(map(_plain, found))

    def _split(self, argument: Any) -> Any:
        separator, text = argument
        found = self.value(text)
        return found.split(separator) if isinstance(found, str) else UNKNOWN

    def _select(self, argument: Any) -> Any:
        number, items = argument
        found = self.value(items)
        known = isinstance(found, list) and int(number) < len(found)
        return found[int(number)] if known else UNKNOWN


def _first(values: list[Any], decisive: bool) -> Any:
    """What And (False decides) or Or (True decides) comes to."""
    if decisive in values:
        return decisive
    return UNKNOWN if UNKNOWN in values else not decisive


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
