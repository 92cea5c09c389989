"""What AWS Backup took by its own plan: what belongs together, and whether it is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from gymops.aws.backup_jobs import BackupJobs
from gymops.aws.vaults import VaultPoint, Vaults
from gymops.backup.items.backups import ItemBackups
from gymops.backup.items.port import Source
from gymops.backup.items.record import Part
from gymops.backup.items.times import Continuous, Times
from gymops.backup.items.vaulted import Vaulted
from gymops.backup.keys import Keys
from gymops.backup.managed.waiting import Patience
from gymops.backup.recovery_point import StoredFile
from gymops.backup.vault import Vault
from gymops.store.folder import FolderBlobs
from tests.contract.objects import MemoryObjects
from tests.unit.clocks import START, FakeClock

WEEK = timedelta(days=7)


class MemoryVaults:
    """Recovery points by the ARN of what they are of."""

    def __init__(self, *points: VaultPoint) -> None:
        self._points = points

    def points(self, _vault: str, resource: str) -> list[VaultPoint]:
        return [one for one in self._points if one.resource == resource]


class Holders:
    """Whatever is asked for is there."""

    def arn(self, name: str) -> str:
        return f"arn:{name}"


def _point(of: str, at: datetime, tier: str = "weekly", status: str = "COMPLETED") -> VaultPoint:
    arn = f"arn:aws:backup:::{of}{at:%d%H%M}{tier}"
    return VaultPoint(arn, "main", f"arn:{of}", status, at, 5, True, False, at + 90 * WEEK, {"tier": tier})


def _listed(
    points: Sequence[VaultPoint], objects: MemoryObjects, keys: Keys, data: Any, clock: FakeClock
) -> list[tuple[str | None, datetime, bool, int | None]]:
    patience = Patience(clock)
    keeper = Vaulted(cast(BackupJobs, None), cast(Vaults, MemoryVaults(*points)), patience, "main", "role")
    vault = Vault("prod", objects, FolderBlobs(data, clock), keys, data / "work", "")
    holders: Any = {"table": Holders()}
    sources = [Source("table", "a"), Source("table", "b")]
    backups = ItemBackups(
        "prod", "prod-app", sources, holders, {}, (keeper,), vault, "us-east-1", patience, (),
        Times("prod", (), cast(Continuous, None), holders["table"], vault, patience),
    )  # fmt: skip
    return [(one.tier, one.taken, one.ready, one.size) for one in backups.listing().points]


def test_what_begins_within_a_window_is_one_and_whole_if_it_has_what_the_one_before_had(
    objects: MemoryObjects, keys: Keys, data: Any, clock: FakeClock
) -> None:
    later = START + timedelta(minutes=50)
    found = [
        _point("a", START), _point("b", later), _point("a", START + WEEK, "daily"),
        _point("a", START + WEEK), _point("b", START + WEEK, status="EXPIRED"),
        _point("b", START + 2 * WEEK), _point("a", START + 2 * WEEK),
    ]  # fmt: skip
    assert sorted(_listed(found, objects, keys, data, clock), key=lambda one: (one[1], str(one[0]))) == [
        ("weekly", START, True, 10),
        ("daily", START + WEEK, True, 5),
        ("weekly", START + WEEK, False, 5),
        ("weekly", START + 2 * WEEK, True, 10),
    ]


class MemoryJobs:
    """What was asked for."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.keys: set[str] = set()

    def restore(self, point: str, role: str, metadata: Mapping[str, str], token: str) -> str:
        self.tokens.append(token)
        self.keys.add(metadata["kmsMasterKeyArn"])
        return "job"


def test_another_plan_begins_another_restore_of_the_same_name(clock: FakeClock) -> None:
    jobs = MemoryJobs()
    keeper = Vaulted(cast(BackupJobs, jobs), cast(Vaults, None), Patience(clock), "main", "role")
    part = Part("a", "arn:a", "arn:aws:backup:x", 1, StoredFile("k", 1, "", 1), 1, 0, "", key="arn:key")
    for name, plan in (("new-a", "1"), ("new-a", "2"), ("new-b", "2"), ("new-b", "2")):
        keeper.restore(part, name, plan)
    assert len(set(jobs.tokens)) == 3
    assert jobs.keys == {"arn:key"}  # as it was then: its table may be gone
