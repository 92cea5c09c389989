"""``stacks.toml``: what an architecture is made of, read and checked; anybody can write one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gymops.errors import ConfigError

FILE = "stacks.toml"
_SCOPES = ("account", "environment")
_TOP = {"region": str, "smoke": list, "after": dict, "stack": list}
_STACK = {"name": str, "template": str, "scope": str, "region": str, "needs": str, "optional": bool}
_REQUIRED = ("name", "template", "scope")
_SHAPES = {
    str: ("a text", 'write it in quotes: key = "value"'),
    bool: ("true or false", "write it without quotes"),
    list: ("a list", "write [[stack]] above each stack, and smoke = [\"/health\"]"),
    dict: ("a table", 'write after = { prod = "staging" }'),
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One [[stack]]."""

    name: str
    template: str
    scope: str
    region: str | None = None
    needs: str | None = None
    optional: bool = False


@dataclass(frozen=True)
class Described:
    """A whole stacks.toml; ``region`` is empty where each environment names its own."""

    stacks: tuple[Entry, ...]
    region: str = ""
    after: dict[str, str] = field(default_factory=dict)
    smoke: tuple[str, ...] = ()


def read(file: Path) -> Described:
    """Read and check it.

    Raises:
        ConfigError: naming the file, the key and what belongs there.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{file}: not valid TOML: {error}", hint="docs/any-app.md shows one") from None
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", hint="docs/any-app.md shows one") from None
    _shaped(document, _TOP, str(file))
    stacks = tuple(_entry(one, f"{file}: stack {number}", file) for number, one in enumerate(
        document.get("stack", ()), start=1
    ))  # fmt: skip
    _ordered(stacks, file)
    after, smoke = document.get("after", {}), document.get("smoke", [])
    for key, value in after.items():
        _is(value, str, f"{file}: after.{key}")
    for path in smoke:
        _is(path, str, f"{file}: smoke")
        if not path.startswith("/"):
            raise ConfigError(f"{file}: smoke: {path!r} is no path", hint='smoke = ["/health"]')
    return Described(stacks, document.get("region", ""), after, tuple(smoke))


def _entry(section: Any, where: str, file: Path) -> Entry:
    _is(section, dict, where)
    _shaped(section, _STACK, where)
    for key in _REQUIRED:
        if not section.get(key):
            raise ConfigError(f"{where}: {key} is missing", hint=f"a stack has {', '.join(_REQUIRED)}")
    if section["scope"] not in _SCOPES:
        raise ConfigError(
            f"{where}: scope: {section['scope']!r} is none",
            hint='"environment": one for each; "account": one for all of an account and region',
        )
    if not Path(file.parent, section["template"]).is_file():
        raise ConfigError(
            f"{where}: template: there is no {section['template']}", hint=f"paths start at {file.parent}"
        )
    return Entry(**section)


def _ordered(stacks: tuple[Entry, ...], file: Path) -> None:
    """``app`` is what is released; what comes before it, and ``base`` first of all, must be there by then."""
    found = [one.name for one in stacks]
    for name in found:
        if found.count(name) > 1:
            raise ConfigError(f"{file}: two stacks are called {name}", hint="rename one")
    if "app" not in found:
        raise ConfigError(
            f"{file}: no stack is called app",
            hint='call the stack with the function name = "app"; releases are made of it',
        )
    if "base" in found and found.index("base") > found.index("app"):
        raise ConfigError(f"{file}: base comes after app", hint="move it up: releases are kept in it")
    for one in stacks:
        if one.name in {"base", "app"} and (one.optional or one.needs):
            raise ConfigError(f"{file}: {one.name} is always made", hint="take its optional or needs out")


def _shaped(section: dict[str, Any], shapes: Mapping[str, type], where: str) -> None:
    for key, value in section.items():
        if key not in shapes:
            raise ConfigError(f"{where}: unknown key {key!r}", hint=f"known keys: {', '.join(shapes)}")
        _is(value, shapes[key], f"{where}: {key}")


def _is(value: Any, shape: type, where: str) -> None:
    if not isinstance(value, shape):
        what, hint = _SHAPES[shape]
        raise ConfigError(f"{where}: {what} is expected", hint=hint)
