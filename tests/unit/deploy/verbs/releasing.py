"""Releases as tests make them: by Mara, into an AWS in memory."""

from __future__ import annotations

from pathlib import Path

from gymops.deploy.release.ledger import Ledger, Release
from gymops.deploy.release.lock import Owner
from gymops.deploy.verbs.deploy import deploy
from gymops.deploy.verbs.promote import promote
from tests.unit.deploy.verbs.world import World, built

OWNER = Owner("mara", "laptop", 7)


def release(world: World, folder: Path, text: str, **given: str) -> Release:
    return deploy(world.site(), built(folder, text), OWNER, token="t", **given)


def promoted(source: World, target: World) -> Release:
    return promote(source.site(), target.site(), OWNER, token="t", approved_by="olu")


def ledger(world: World) -> list[Release]:
    return list(Ledger(world.store, world.name).releases())
