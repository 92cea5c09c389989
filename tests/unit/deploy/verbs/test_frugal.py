"""A release asks for nothing twice that cannot have changed, and changes nothing that is as it should be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from gymops.deploy.release.ledger import Release
from gymops.deploy.release.lock import Owner
from gymops.deploy.verbs.deploy import deploy
from tests.unit.deploy.verbs.world import World, built

OWNER = Owner("mara", "laptop", 7)


@pytest.fixture
def staging() -> World:
    return World("staging")


def release(world: World, folder: Path, text: str) -> Release:
    return deploy(world.site(), built(folder, text), OWNER, token="t")


def test_no_record_of_the_ledger_is_read_twice(
    staging: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("one", "two", "three"):
        release(staging, tmp_path, text)
    read: Counter[str] = Counter()
    get = staging.store.get

    def counted(key: str) -> object:
        read[key] += 1
        return get(key)

    monkeypatch.setattr(staging.store, "get", counted)
    assert release(staging, tmp_path, "four").number == 4
    assert {key: times for key, times in read.items() if key.startswith("releases/")} == {
        f"releases/staging/0000000{number}.json": 1 for number in (1, 2, 3)
    }
