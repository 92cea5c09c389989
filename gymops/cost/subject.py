"""Of what a bill is written: an environment of gymops.toml, or an architecture as it comes with gymops."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from gymops.config import Settings
from gymops.cost import usage
from gymops.cost.bill import Bill, reckon
from gymops.cost.prices import bundled
from gymops.cost.usage import Profile
from gymops.deploy import template
from gymops.deploy.environment import resolve
from gymops.deploy.template import Architecture
from gymops.errors import ConfigError

PROD = "prod"


@dataclass(frozen=True)
class Subject:
    """An environment of an architecture, with its parameters."""

    architecture: Architecture
    environment: str
    parameters: Mapping[str, str]
    region: str

    def bill(self, month: Profile) -> Bill:
        """What it costs in such a month."""
        return reckon(
            self.architecture,
            self.environment,
            self.parameters,
            region=self.region,
            profile=month,
            prices=bundled(),
        )


def choose(settings: Settings, word: str | None, environment: str | None = None) -> Subject:
    """What a word names: an environment of gymops.toml, an architecture, or a path to templates.

    Raises:
        ConfigError: it names nothing, or there is no such environment.
    """
    if word is None or word == settings.architecture:
        return _ours(settings, environment)
    if settings.architecture and word in _environments(settings):
        return _ours(settings, word)
    if template.is_path(word) or word in template.names():
        found = template.architecture(word)
        return _shipped(found, environment or _usual(found))
    known = [*(_environments(settings) if settings.architecture else ()), *template.names()]
    near = difflib.get_close_matches(word, known, n=1)
    raise ConfigError(
        f"{word!r} is no environment and no architecture{f'; did you mean {near[0]}?' if near else ''}",
        hint=f"known: {', '.join(known)}; a folder or a template of your own is a path: ./infra",
    )


def compared(
    settings: Settings, subject: Subject, month: Profile, word: str, environment: str | None
) -> tuple[Subject, Profile]:
    """The other side of a comparison: another profile of the same, or what ``choose`` finds.

    Raises:
        ConfigError: the word names nothing.
    """
    name = subject.architecture.name
    if word in usage.names(name):
        return subject, usage.profile(name, word)
    other = choose(settings, word, environment)
    if other.architecture.name == name:
        return other, month
    return other, usage.profile(other.architecture.name)


def _ours(settings: Settings, environment: str | None) -> Subject:
    if settings.architecture is None:
        raise ConfigError(
            "nothing to reckon with: gymops.toml names no architecture", hint="gymops cost titan-trakr"
        )
    if environment is None:
        environment = _usual(template.architecture(settings.architecture), _environments(settings))
    found = resolve(settings, environment)
    return Subject(found.architecture, found.name, found.parameters, found.region)


def _environments(settings: Settings) -> list[str]:
    found = template.architecture(settings.architecture or "")
    return sorted({*found.environments, *settings.environments})


def _usual(found: Architecture, known: list[str] | None = None) -> str:
    """prod where there is one, otherwise the one nothing is promoted from."""
    names = known or sorted(found.environments)
    last = [name for name in names if name not in found.after.values()]
    return PROD if PROD in names or not last else last[0]


def _shipped(found: Architecture, environment: str) -> Subject:
    if found.environments and environment not in found.environments:
        raise ConfigError(
            f"{found.name} has no environment {environment!r}",
            hint=f"its environments: {', '.join(found.environments)}",
        )
    parameters = {"Environment": environment, **found.environments.get(environment, {})}
    return Subject(found, environment, parameters, found.region)
