"""A server whose backups were taken once; each test gets a copy of them that it may damage."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gymops.backup import restore_test
from gymops.backup.port import Wanted, untold
from gymops.backup.recovery_point import RecoveryPoint, new_id
from gymops.backup.restore import Restores
from gymops.backup.restore_test import How, Tested
from gymops.backup.take import Taken, Taker
from gymops.backup.tiers import DEFAULT
from gymops.backup.vault import Vault
from gymops.clock import SystemClock
from gymops.pg import embedded, schema
from gymops.pg.binaries import find_binaries
from gymops.store.directory import DirectoryObjects
from gymops.store.folder import FolderBlobs
from tests.conftest import _FAST
from tests.integration.backup.conftest import Backed, vault_in

CLOCK = SystemClock()
NAME = "shop"


@dataclass(frozen=True)
class Stored:
    """Backups of a server, in a folder of the test's own."""

    backed: Backed
    times: Sequence[datetime]
    """Between what was committed, by the server's clock: before the first batch behind the base, ..."""
    counts: Sequence[int]
    """How many events there were then."""
    keys: Path
    """The folder they came from."""

    @property
    def vault(self) -> Vault:
        return self.backed.vault

    @property
    def point(self) -> RecoveryPoint:
        """The newest."""
        return max(self.vault.catalogue.points(), key=lambda one: one.ended)

    def restores(self, **given: Any) -> Restores:
        return Restores(
            **{"vault": self.vault, "url": self.backed.url, "programs": [find_binaries()],
               "home": self.backed.folder / "home", "clock": CLOCK, **given}
        )  # fmt: skip

    def test(self, wanted: Wanted | None = None, restores: Restores | None = None, **given: Any) -> Tested:
        """A restore-test, as the command does it; afterwards nothing of it is left."""
        tell = given.pop("tell", untold)
        how = replace(How(new_id(CLOCK.now()), NAME, DEFAULT, self.vault.seals), **given)
        found = restore_test.run(restores or self.restores(), wanted or Wanted(), how, CLOCK, tell)
        assert not list((self.vault.work / "tests").glob("work-*"))
        return found

    def blob(self, key: str) -> Path:
        """A stored file of ours alone."""
        path = self.backed.folder / "store" / "data" / key
        own = path.with_name(f"{path.name}.own")
        shutil.copyfile(path, own)
        own.replace(path)
        return path

    def wal(self) -> Sequence[Any]:
        """The segments behind the newest base."""
        point = self.point
        assert point.system
        assert point.timeline
        assert point.start_lsn
        return self.vault.wal(point.system, point.segment).chain(point.timeline, point.start_lsn)

    def take(self, tier: str = "daily") -> Taken:
        """Another backup, into this folder."""
        return take(self.backed, tier)


def take(backed: Backed, tier: str) -> Taken:
    taker: Taker = backed.taker()
    return taker.take(taker.plan(tier), CLOCK.now())


def moment(backed: Backed) -> datetime:
    """Of the server's clock; what is committed next is later."""
    (found,) = backed.sql("SELECT clock_timestamp()")
    return found  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backed, list[datetime], list[int]]]:
    """A base backup, and behind it five segments of WAL with three batches of events, each sealed."""
    settings = {**_FAST, "wal_keep_size": "2GB"}  # each copy of the store goes on from the same place
    folder = tmp_path_factory.mktemp("source")
    with embedded.temporary(clock=CLOCK, settings=settings) as server:
        schema.upgrade(server.url(), clock=CLOCK)
        backed = Backed(server.url(), server.binaries, vault_in(folder, NAME), folder)
        backed.append("ann", 2100)
        backed.append("bob", 30)
        take(backed, "daily")
        times, counts = [moment(backed)], [2130]
        for user, events in (("ann", 300), ("cy", 5), ("bob", 1)):
            backed.append(user, events)
            backed.sql("SELECT pg_switch_wal()")
            take(backed, "continuous")
            times.append(moment(backed))
            counts.append(counts[-1] + events)
        take(backed, "continuous")
        yield backed, times, counts


@pytest.fixture
def stored(source: tuple[Backed, list[datetime], list[int]], tmp_path: Path) -> Stored:
    backed, times, counts = source
    return copied(backed, times, counts, tmp_path)


def copied(backed: Backed, times: list[datetime], counts: list[int], folder: Path) -> Stored:
    """The same backups, in another folder; what is large is linked."""
    shutil.copytree(backed.folder / "store" / "records", folder / "store" / "records")
    shutil.copytree(backed.folder / "store" / "data", folder / "store" / "data", copy_function=os.link)
    vault = replace(
        backed.vault,
        objects=DirectoryObjects(folder / "store" / "records", CLOCK),
        blobs=FolderBlobs(folder / "store" / "data", CLOCK),
        work=folder / "work",
        where=str(folder / "store"),
    )
    return Stored(Backed(backed.url, backed.binaries, vault, folder), times, counts, backed.folder / "keys")
