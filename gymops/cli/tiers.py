"""Whether the tiers of gymops.toml can be, and are what a template takes: before anything is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gymops.cli import vaults
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.config import Settings


def check(settings: Settings, environment: str) -> None:
    """Look at the tiers of one environment, if gymops.toml names any.

    Raises:
        ConfigError: one cannot be; or AWS takes them, and by the template otherwise.
    """
    from gymops.cli import managed

    if not vaults.backup(settings, environment).tiers:
        return
    found = vaults.tiers(settings, environment)
    told = _declared(settings, environment) if managed.is_managed(settings, environment) else None
    if told is None:
        return
    from gymops.backup.declared import declared

    taken = {tier.name: tier for tier in declared(told).tiers}
    for tier in found:
        there = taken.get(tier.name)
        if there is None or (there.schedule, there.keep) != (tier.schedule, tier.keep):
            raise ConfigError(
                f"environments.{environment}.backup.tiers.{tier.name}: the template takes something else:"
                f" {told}",
                hint="AWS takes them by the template: change its parameters, or leave the tier out here",
            )


def _declared(settings: Settings, environment: str) -> str | None:
    """What the template of the application will say it takes; None: it says nothing of it."""
    from gymops.deploy.environment import resolve
    from gymops.deploy.evaluate import evaluate
    from gymops.deploy.template import compose

    deployment = resolve(settings, environment)
    app = compose(deployment.architecture.stack("app").template)
    output = app.body.get("Outputs", {}).get("BackupTiers")
    if output is None:
        return None
    usual = {name: str(one["Default"]) for name, one in app.parameters.items() if "Default" in one}
    told = evaluate(output["Value"], app, {**usual, **deployment.parameters})
    return told if isinstance(told, str) else None
