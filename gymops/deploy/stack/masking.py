"""No secret is shown: not as a parameter, not as a property before or after, not in a message of AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gymops.deploy.build.secrets import looks_secret
from gymops.deploy.parameters import SECRETIVE
from gymops.deploy.stack.port import Change, Detail

MASK = "****"

_SECRET = re.compile(
    r"(?i)(password|passwd|passcode|passphrase|secret|token|api_?key|private_?key|access_?key|credential)"
)
_ABOUT = re.compile(
    r"(?i)(arn|arns|name|id|ids|type|url|uri|path|length|ttl|days|hours|minutes|seconds|validity|units|stage"
    r"|policy|schedule|rules?|kmskey|kmskeyid|count|enabled|version|prefix|description|excludecharacters)$"
)
"""Endings of names that are about a secret, and hold none."""
DYNAMIC = re.compile(r"\{\{resolve:[^{}]*\}\}")
"""A reference that CloudFormation resolves: it says where a secret is, and holds none."""
_PLAIN = re.compile(r"(?i)true|false|-?[0-9.]{1,6}|arn:aws[a-z-]*:[^\s]*")
_SHORTEST = 4
"""Characters of a secret below which it is not looked for inside other texts: it would be everywhere."""


@dataclass(frozen=True)
class Masker:
    """Knows which names are secret and which values."""

    names: frozenset[str] = frozenset()
    """The parameters that are declared NoEcho."""
    values: tuple[str, ...] = field(default=(), repr=False)
    """Their values, as far as they are known here; the longest first."""
    properties: frozenset[tuple[str, str]] = frozenset()
    """(logical id, property) that a NoEcho parameter goes into."""

    def text(self, text: str) -> str:
        """A message of AWS, or any text, without what is secret in it."""
        for value in self.values:
            if value == text:
                return MASK
            if len(value) >= _SHORTEST:
                text = text.replace(value, MASK)
        return MASK if looks_secret(text) else text

    def value(self, name: str, value: str) -> str:
        """The value of something of this name; a dynamic reference is shown, since it holds no secret."""
        if DYNAMIC.fullmatch(value):
            return value
        if name in self.names or value in self.values:
            return MASK if value else value
        if value and _names_a_secret(name) and not _PLAIN.fullmatch(value):
            return MASK
        return self.text(value)

    def parameters(self, given: Mapping[str, str]) -> dict[str, str]:
        """Parameters, or outputs, to be shown."""
        return {name: self.value(name, value) for name, value in given.items()}

    def change(self, change: Change) -> Change:
        """A change to be shown."""
        return replace(
            change,
            details=tuple(self._detail(change.name, one) for one in change.details),
            before=self._document(change.name, change.before),
            after=self._document(change.name, change.after),
        )

    def _detail(self, resource: str, detail: Detail) -> Detail:
        steps = [step for step in detail.path.split("/") if step and step != "Properties"] or [detail.name]
        hidden = (resource, steps[0]) in self.properties or (resource, detail.name) in self.properties
        hidden = hidden or any(_names_a_secret(step) for step in [detail.name, *steps])

        def masked(value: str | None) -> str | None:
            if value is None or DYNAMIC.fullmatch(value):
                return value
            if hidden and value and not _PLAIN.fullmatch(value):
                return MASK
            document = _decoded(value)
            if document is None:
                return MASK if value[:1] in {"{", "["} else self.text(value)  # cut off
            return _coded(self._walk(steps[-1], document))

        return replace(detail, before=masked(detail.before), after=masked(detail.after))

    def _document(self, resource: str, text: str | None) -> str | None:
        if text is None:
            return None
        document = _decoded(text)
        if not isinstance(document, dict):
            return MASK  # cut off, or of another form: what is in it cannot be told apart
        properties = document.get("Properties")
        if isinstance(properties, dict):
            for name in properties:
                if (resource, name) in self.properties:
                    properties[name] = MASK
        return _coded(self._walk("", document))

    def _walk(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            # A list of {Name, Value}, as a container's environment is.
            label = str(value.get("Name") or value.get("Key") or "") if "Value" in value else ""
            return {
                key: self._walk(label if key == "Value" and label else str(key), item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._walk(name, item) for item in value]
        if isinstance(value, str):
            inner = _decoded(value)
            if inner is not None and not _names_a_secret(name):
                return _coded(self._walk(name, inner))
            return self.value(name, value)
        return value


def masker(bodies: Iterable[Mapping[str, Any]], given: Mapping[str, str]) -> Masker:
    """What is secret by these templates (the present one, the next one) and the parameters given."""
    names: set[str] = set()
    values: set[str] = set()
    properties: set[tuple[str, str]] = set()
    for body in bodies:
        declared = body.get("Parameters") or {}
        hidden = {name for name, one in declared.items() if str(one.get(SECRETIVE, "")).lower() == "true"}
        names |= hidden
        for logical, resource in (body.get("Resources") or {}).items():
            for name, value in (resource.get("Properties") or {}).items():
                if hidden & set(references(value)):
                    properties.add((logical, name))
        values |= {str(declared[name].get("Default", "")) for name in hidden}
    values |= {given.get(name, "") for name in names}
    values -= {"", MASK}
    return Masker(frozenset(names), tuple(sorted(values, key=len, reverse=True)), frozenset(properties))


def references(value: Any) -> Iterator[str]:
    """The names that ``Ref`` and ``Fn::Sub`` mention."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::Sub":
                text = item[0] if isinstance(item, list) and item else item
                yield from re.findall(r"\$\{([^!}][^}]*)\}", str(text))
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def _names_a_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) and not _ABOUT.search(name)


def _decoded(text: str) -> Any:
    if text[:1] not in {"{", "["} or text.startswith("{{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _coded(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
