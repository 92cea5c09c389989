"""An environment of two tables, and its backups."""

from __future__ import annotations

from pathlib import Path

import pytest

from gymops.backup.items.backups import ItemBackups
from gymops.backup.items.port import Source
from gymops.backup.items.tables import OnDemand, TableHolder
from gymops.backup.items.times import Times
from gymops.backup.keys import Keys
from gymops.backup.managed.waiting import Patience
from gymops.backup.vault import Vault
from gymops.store.folder import FolderBlobs
from tests.contract.objects import MemoryObjects
from tests.unit.backup.items.world import (
    DAILY,
    MemoryTables,
    made_item,
)
from tests.unit.clocks import FakeClock


@pytest.fixture
def tables(clock: FakeClock) -> MemoryTables:
    found = MemoryTables(clock)
    for number in range(3):
        found.put("users", made_item(number))
    found.put("goals", made_item(1))
    return found


@pytest.fixture
def vault(objects: MemoryObjects, keys: Keys, data: Path, clock: FakeClock) -> Vault:
    return Vault("prod", objects, FolderBlobs(data, clock), keys, data / "work", str(data))


@pytest.fixture
def backups(tables: MemoryTables, vault: Vault, clock: FakeClock) -> ItemBackups:
    patience, holder = Patience(clock), TableHolder(tables)
    demand = OnDemand(tables, patience)
    return ItemBackups(
        "prod", "prod-app", [Source("table", "goals"), Source("table", "users")],
        {"table": holder}, {"table": demand}, (demand,), vault, "us-east-1", patience, (DAILY,),
        Times("prod", ["goals", "users"], tables, holder, vault, patience),
    )  # fmt: skip
