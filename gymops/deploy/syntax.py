"""CloudFormation's YAML and JSON as plain data that remembers its lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gymops.errors import GymopsError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_SHORT = frozenset(
    {
        "And",
        "Base64",
        "Cidr",
        "Equals",
        "FindInMap",
        "GetAtt",
        "GetAZs",
        "If",
        "ImportValue",
        "Join",
        "Length",
    }
    | {"Not", "Or", "Select", "Split", "Sub", "ToJsonString", "Transform"}
)
"""``!Name`` for ``Fn::Name``; ``!Ref`` and ``!Condition`` keep their names."""

_YAML = "tag:yaml.org,2002:"
_SCALARS = {
    f"{_YAML}int": SafeConstructor.construct_yaml_int,
    f"{_YAML}float": SafeConstructor.construct_yaml_float,
    f"{_YAML}bool": SafeConstructor.construct_yaml_bool,
}

DEPTH = 100
"""Levels of nesting; a template of people has a dozen."""


class TemplateError(GymopsError):
    """A template cannot be read."""

    code = "template"


class Lines(dict[str, Any]):
    """A mapping that knows the line of each key."""

    lines: dict[str, int]


class Rows(list[Any]):
    """A sequence that knows the line of each item."""

    lines: list[int]


def read(file: Path, *, largest: int) -> str:
    """The text of a template.

    Raises:
        TemplateError: it is missing, no text, or larger than CloudFormation takes.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(largest + 1)  # a pipe or a device tells no size
        if len(data) > largest:
            size = max(len(data), file.stat().st_size)
            raise TemplateError(
                f"{file}: {size:,} bytes, and CloudFormation takes {largest:,}",
                hint="split the stack; what lives and dies together stays together",
            )
        return data.decode()
    except FileNotFoundError:
        raise TemplateError(f"{file}: no such file", hint="check the path") from None
    except UnicodeDecodeError:
        raise TemplateError(f"{file}: not UTF-8 text", hint="save it as UTF-8") from None
    except OSError as error:
        raise TemplateError(f"{file}: cannot be read: {error.strerror}", hint="check the path") from None


def parse(text: str, name: str) -> Lines:
    """The template as data, short forms written out (``!Ref X`` is ``{"Ref": "X"}``).

    Raises:
        TemplateError: neither YAML nor JSON, a key twice, or what CloudFormation refuses: an alias, a null.
    """
    if text.lstrip().startswith("{"):
        text = text.replace(
            "\t", " "
        )  # JSON may be indented with tabs, YAML not; inside strings they are escaped
    try:
        _bounded(text, name)
        root = yaml.compose(text, Loader=_Loader)
        if not isinstance(root, MappingNode):
            raise TemplateError(f"{name}: no template: a mapping with Resources is expected", hint=_HINT)
        return _Reader(name).mapping(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise TemplateError(f"{name}:{line}: no YAML: {error.problem or error.context}", hint=_HINT) from None
    except (yaml.YAMLError, ValueError) as error:
        raise TemplateError(f"{name}: no YAML: {error}", hint=_HINT) from None


def _bounded(text: str, name: str) -> None:
    """Refuse what composing could not survive: libyaml recurses, and takes the process with it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            why = "CloudFormation takes no aliases (*name); write it out"
            raise TemplateError(f"{name}:{line}: {why}", hint=_HINT)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH:
            raise TemplateError(f"{name}:{line}: nested too deeply", hint=_HINT)


_HINT = "gymops lint titan-trakr --print shows one that is right"


class _Reader:
    """Turns nodes into data."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._scalars = SafeConstructor()

    def mapping(self, node: MappingNode) -> Lines:
        result = Lines()
        result.lines = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._refuse(key, "a key that is no text")
            if key.value in result:
                self._refuse(key, f"{key.value!r} stands here twice")
            if key.value == "<<":
                self._refuse(key, "CloudFormation knows no merge keys")
            result[key.value] = self._value(value)
            result.lines[key.value] = key.start_mark.line + 1
        return result

    def _value(self, node: Node) -> Any:
        tag = str(node.tag)
        if tag.startswith("!"):
            return self._intrinsic(node, tag[1:])
        return self._plain(node)

    def _intrinsic(self, node: Node, name: str) -> Lines:
        if name not in _SHORT and name not in {"Ref", "Condition"}:
            self._refuse(node, f"CloudFormation knows no !{name}")
        value = str(node.value) if isinstance(node, ScalarNode) else self._plain(node)
        if name == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        key = name if name in {"Ref", "Condition"} else f"Fn::{name}"
        result = Lines({key: value})
        result.lines = {key: node.start_mark.line + 1}
        return result

    def _plain(self, node: Node) -> Any:
        if isinstance(node, MappingNode):
            return self.mapping(node)
        if isinstance(node, SequenceNode):
            rows = Rows(self._value(item) for item in node.value)
            rows.lines = [item.start_mark.line + 1 for item in node.value]
            return rows
        if node.tag == f"{_YAML}null":
            self._refuse(node, "an empty value; write !Ref AWS::NoValue, or leave the key out")
        construct = _SCALARS.get(str(node.tag))
        if isinstance(node, ScalarNode) and construct:
            return construct(self._scalars, node)
        return node.value  # a date stays the text that CloudFormation takes it for

    def _refuse(self, node: Node, why: str) -> NoReturn:
        raise TemplateError(f"{self._name}:{node.start_mark.line + 1}: {why}", hint=_HINT)
