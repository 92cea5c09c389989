"""Usage profiles: what is used in a month, and what a step of growth changes in the template."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

from gymops.errors import ConfigError

FILE = Path(__file__).with_name("usage.toml")
ANY = "any"
"""Whose profiles are for templates that come without any."""

_OWN = frozenset({"about", "usage", "parameters", "others", "unpriced"})


@dataclass(frozen=True)
class Other:
    """What a step has beside the template."""

    service: str
    what: str
    price: str
    quantity: Decimal


@dataclass(frozen=True)
class Profile:
    """What one month is like."""

    name: str
    about: str
    usage: Mapping[str, Decimal]
    parameters: Mapping[str, str]
    said: frozenset[str] = frozenset()
    """The numbers somebody asked for beside the profile."""
    others: tuple[Other, ...] = ()
    unpriced: Mapping[str, str] | None = None
    """Service -> why its part of this step has no price."""
    environments: Mapping[str, Mapping[str, Decimal]] | None = None
    """Environment -> what is other there."""

    def in_environment(self, name: str) -> Profile:
        """The profile with what is other in an environment."""
        own = (self.environments or {}).get(name)
        return replace(self, usage={**self.usage, **own, **self._asked()}) if own else self

    def using(self, given: Mapping[str, Decimal]) -> Profile:
        """The profile with some numbers replaced."""
        return replace(self, usage={**self.usage, **given}, said=self.said | set(given))

    def _asked(self) -> dict[str, Decimal]:
        return {name: self.usage[name] for name in self.said}


def numbers() -> dict[str, str]:
    """Every number of a profile, and what it counts."""
    return {name: one["about"] for name, one in _document()["numbers"].items()}


def names(architecture: str) -> list[str]:
    """The profiles of an architecture, the smallest first."""
    profiles = _document()["profiles"]
    return list(profiles.get(architecture, profiles[ANY]))


def profile(architecture: str, name: str | None = None) -> Profile:
    """A profile of an architecture; where none is named the first that leaves the template as it is.

    Raises:
        ConfigError: it has none of this name.
    """
    known = names(architecture)
    profiles = _document()["profiles"].get(architecture, _document()["profiles"][ANY])
    chosen = name or next(one for one in known if "parameters" not in profiles[one])
    if chosen not in known:
        near = difflib.get_close_matches(chosen, known, n=1)
        raise ConfigError(
            f"{architecture} has no profile {chosen!r}{f'; did you mean {near[0]}?' if near else ''}",
            hint=f"its profiles: {', '.join(known)}",
        )
    return _profile(chosen, profiles[chosen])


def given(words: Iterable[str]) -> dict[str, Decimal]:
    """The numbers of ``NAME=NUMBER`` words.

    Raises:
        ConfigError: one is of another form, unknown, or below zero.
    """
    values = {}
    for word in words:
        name, _, number = word.partition("=")
        if name not in numbers():
            near = difflib.get_close_matches(name, numbers(), n=1)
            raise ConfigError(
                f"no usage {name!r}{f'; did you mean {near[0]}?' if near else ''}",
                hint=f"NAME=NUMBER, with one of {', '.join(numbers())}",
            )
        try:
            values[name] = Decimal(number.replace("_", ""))
        except InvalidOperation:
            raise ConfigError(f"{word!r}: {number!r} is no number", hint=f"--usage {name}=1000") from None
        if not values[name].is_finite() or not 0 <= values[name] <= 10**15:
            raise ConfigError(f"{word!r}: usage is between 0 and 10^15", hint=f"--usage {name}=1000")
    return values


def _profile(name: str, section: Mapping[str, Any]) -> Profile:
    usage = _decimals(section["usage"])
    defaults = {key: Decimal(str(one["default"])) for key, one in _document()["numbers"].items()}
    return Profile(
        name=name,
        about=section["about"],
        usage={**defaults, **usage},
        parameters=section.get("parameters", {}),
        others=tuple(
            Other(one["service"], one["what"], one["price"], Decimal(one["quantity"]))
            for one in section.get("others", ())
        ),
        unpriced=section.get("unpriced"),
        environments={key: _decimals(values) for key, values in section.items() if key not in _OWN},
    )


def _decimals(values: Mapping[str, int | float]) -> dict[str, Decimal]:
    return {name: Decimal(str(value)) for name, value in values.items()}


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))
