"""An environment of an architecture: what it is made of, what its names are, what may be released to it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gymops.config import Environment, Settings
from gymops.deploy.parameters import SECRETIVE, complete
from gymops.deploy.stack.masking import DYNAMIC, MASK, Masker
from gymops.deploy.template import Architecture, Stack, Template, architecture
from gymops.deploy.traffic import Shape
from gymops.errors import ConfigError
from gymops.store.objects import named

FROM_ENVIRONMENT = "env:"
"""Begins a parameter whose value is in a variable."""

DEFAULT_TRAFFIC = "AllAtOnce"
DEFAULT_WITHIN_DAYS = 14
"""How old a tested release may be to be promoted, where gymops.toml says nothing."""

DEFAULT_RETURNS = 5
"""To how many releases before what runs one can always return, where gymops.toml says nothing."""


@dataclass(frozen=True)
class Deployment:
    """An environment, resolved: the architecture's values with those of gymops.toml over them."""

    name: str
    architecture: Architecture
    parameters: Mapping[str, str]
    region: str
    app: str
    """What names begin with, after the environment: the parameter ``AppName``."""
    after: str | None = None
    within_days: int = DEFAULT_WITHIN_DAYS
    returns: int = DEFAULT_RETURNS
    smoke: tuple[str, ...] = ()
    traffic: Shape = field(default_factory=lambda: Shape.parse(DEFAULT_TRAFFIC))
    profile: str | None = None
    account: str | None = None
    """The account it must be in; None: whichever the credentials are of."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The process's environment, for parameters given as ``env:VARIABLE``."""

    @property
    def local(self) -> bool:
        """Whether it is on the local AWS."""
        return self.profile is None and self.account is None

    @property
    def released_by(self) -> str:
        """The command that releases to it."""
        return f"gymops promote {self.after} {self.name}" if self.after else f"gymops deploy {self.name}"

    @property
    def prefix(self) -> str:
        """What the names of its resources begin with."""
        return f"{self.name}-{self.app}"

    def stacks(self, *also: str) -> list[Stack]:
        """The stacks it has, in the order they are made; optional ones where they are named.

        Raises:
            ConfigError: there is no stack of that name.
        """
        known = [stack.name for stack in self.architecture.stacks]
        for name in also:
            if name not in known:
                raise ConfigError(
                    f"{self.architecture.name} has no stack {name!r}", hint=f"its stacks: {', '.join(known)}"
                )
        return [
            stack
            for stack in self.architecture.stacks
            if stack.wanted(self.parameters) and (not stack.optional or stack.name in also)
        ]

    def stack_name(self, stack: Stack) -> str:
        """What a stack is called: those of an account are shared by its environments."""
        if stack.scope == "account":
            return f"{self.app}-{stack.name}"
        return self.prefix if stack.name == "app" else f"{self.prefix}-{stack.name}"

    def region_of(self, stack: Stack) -> str:
        """Where a stack is; one whose region the architecture leaves open is where the environment is."""
        return self.region if stack.region == self.architecture.region else stack.region

    def given(self, template: Template, found: Mapping[str, str]) -> dict[str, str]:
        """A template's parameters; ``found`` are outputs of earlier stacks, and what the release brings.

        Raises:
            ConfigError: one is missing, or outside what the template allows; or a secret is written out.
        """
        known = {**self.parameters, **found}
        values = {
            name: self._unfolded(name, value, template.parameters[name])
            for name, value in known.items()
            if name in template.parameters
        }
        return complete(template, values, whose=self.name)

    def _unfolded(self, name: str, value: str, declared: Mapping[str, Any]) -> str:
        """The value of ``env:VARIABLE``, which is for what the template hides, and for nothing else."""
        hidden = bool(declared.get(SECRETIVE))
        if not value.startswith(FROM_ENVIRONMENT):
            if hidden and value and name in self.parameters and not DYNAMIC.fullmatch(value):
                raise _written_out(self.name, name)
            return value
        variable = value.removeprefix(FROM_ENVIRONMENT)
        if not hidden:
            raise ConfigError(
                f"{self.name}: the parameter {name} is taken from env:, and not hidden in the stack",
                hint=f"declare it with {SECRETIVE}: true in the template, or write its value",
            )
        if not self.environ.get(variable):
            raise ConfigError(
                f"{self.name}: the parameter {name} is {value}, and {variable} is not set",
                hint=f"read -rs {variable} && export {variable}",
            )
        return self.environ[variable]


def _written_out(environment: str, name: str) -> ConfigError:
    return ConfigError(
        f"{environment}: the parameter {name} holds what looks like a secret, or is declared as one",
        hint="a secret does not belong in gymops.toml: write the ARN of one in Secrets Manager, a reference"
        " ({{resolve:secretsmanager:...}}), or env:VARIABLE where the template declares NoEcho",
    )


def resolve(settings: Settings, name: str) -> Deployment:
    """An environment by its name.

    Raises:
        ConfigError: no architecture is chosen, or neither it nor gymops.toml knows the environment.
    """
    chosen = _known(settings, name)
    named(name)  # before anything is made for what can have no lock
    own = settings.environments.get(name, Environment())
    parameters = _parameters(settings, chosen, name)
    after = own.after or chosen.after.get(name)
    if after == name:
        raise ConfigError(f"{name} comes after itself", hint=f"change `after` of [environments.{name}]")
    region = own.region or chosen.region
    if not region:
        raise ConfigError(f"{name} has no region", hint=f'region = "eu-central-1" in [environments.{name}]')
    return Deployment(
        name=name,
        architecture=chosen,
        parameters=parameters,
        region=region,
        app=parameters["AppName"],
        after=after,
        within_days=own.within_days or DEFAULT_WITHIN_DAYS,
        returns=own.returns or DEFAULT_RETURNS,
        smoke=own.smoke or chosen.smoke,
        traffic=Shape.parse(own.traffic or DEFAULT_TRAFFIC),
        profile=own.profile,
        account=own.account,
        environ=settings.environ,
    )


def _known(settings: Settings, name: str) -> Architecture:
    if settings.architecture is None:
        raise ConfigError(
            "no architecture is chosen: gymops.toml names none",
            hint="gymops init --architecture titan-trakr writes one; for a template of your own add"
            ' architecture = "infra/template.yaml"',
        )
    chosen = architecture(settings.architecture)
    known = sorted({*chosen.environments, *settings.environments})
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise ConfigError(
            f"no environment {name!r}{f'; did you mean {near[0]}?' if near else ''}",
            hint=f"known environments: {', '.join(known)}; gymops.toml names others as [environments.NAME]",
        )
    return chosen


def _parameters(settings: Settings, chosen: Architecture, name: str) -> dict[str, str]:
    """Those the architecture ships, and those of gymops.toml, of which none is a secret."""
    own = settings.environments.get(name, Environment()).parameters
    for parameter, value in own.items():
        if not value.startswith(FROM_ENVIRONMENT) and MASK in Masker().value(parameter, value):
            raise _written_out(name, parameter)
    app = settings.app.name if settings.app and settings.app.other else chosen.name
    return {
        "Environment": name,
        "AppName": _default(chosen, "AppName", app),
        **chosen.environments.get(name, {}),
        **own,
    }


def _default(chosen: Architecture, parameter: str, otherwise: str) -> str:
    """A parameter's default, as the application's template has it."""
    from gymops.deploy.template import compose

    declared = compose(chosen.stack("app").template).parameters.get(parameter, {})
    return str(declared.get("Default", otherwise))
