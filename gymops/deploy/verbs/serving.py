"""What users reach, against what the ledger says they do."""

from __future__ import annotations

from dataclasses import dataclass

from gymops.aws.session import AwsError
from gymops.deploy.release.ledger import Release
from gymops.deploy.verbs.site import Site
from gymops.deploy.verbs.wanted import code_of


@dataclass(frozen=True)
class Serving:
    """What users reach, as AWS tells it."""

    version: str
    code: str
    """Its digest, as AWS writes it."""
    differs: tuple[str, ...] = ()
    """In what it is other than the ledger's running release."""


def serving(site: Site, running: Release | None) -> Serving | None:
    """What serves; None if nothing does, also where somebody deleted the function."""
    runs = site.runs(site.outputs("app"))
    if runs is None:
        return None
    try:
        version = runs.by.serving(runs.name, runs.alias)
        code = runs.by.version(runs.name, version).code
    except AwsError as error:
        if error.reason != "ResourceNotFoundException":
            raise
        return None
    differs = []
    if running and code != code_of(running):
        differs.append(f"it runs the code {code}, and release {running.number} is {code_of(running)}")
    if running and version != running.version:
        differs.append(f"version {version} serves, and release {running.number} is version {running.version}")
    return Serving(version, code, tuple(differs))


def differing(site: Site, running: Release | None) -> tuple[str, ...]:
    """In what that which serves is other than the running release; nothing without one."""
    if running is None:
        return ()
    found = serving(site, running)
    return found.differs if found else (f"nothing serves, and release {running.number} did",)
