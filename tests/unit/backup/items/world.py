"""A DynamoDB in memory that others write to all the time, and what is asked of backups of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count

from gymops.aws.backup_jobs import Job
from gymops.aws.tables import Item, Table, TableBackup
from gymops.backup import restore_test
from gymops.backup.audit import audit
from gymops.backup.catalogue import Seals
from gymops.backup.evidence import Expected
from gymops.backup.findings import Kind
from gymops.backup.gather import trial
from gymops.backup.items.backups import ItemBackups
from gymops.backup.items.gather import gather
from gymops.backup.port import Restored, Tell, Wanted, untold
from gymops.backup.restore_test import How, run
from gymops.backup.schedule import DAY, Schedule
from gymops.backup.tiers import Tier
from tests.unit.clocks import START, FakeClock

DAILY = Tier("daily", Schedule(3, 0), 30 * DAY, rpo=DAY, rto=timedelta(minutes=30))
CONTINUOUS = Tier("continuous", None, 35 * DAY, rpo=timedelta(hours=1), rto=timedelta(minutes=30))
TRAILS = timedelta(minutes=5)
"""So far behind DynamoDB's latest time is."""
NOTHING: Callable[[], None] = lambda: None  # noqa: E731


class MemoryTables:
    """Tables as dictionaries, and copies of them as backups."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.there: dict[str, dict[str, Item]] = {}
        self.kept: dict[str, tuple[str, TableBackup, dict[str, Item]]] = {}
        self.continuous, self.earliest = True, START
        self.history: list[tuple[datetime, dict[str, dict[str, Item]]]] = []
        """What there was after each write."""
        self.meanwhile: list[Callable[[], None]] = []
        """What others do after the first look, and after the backup."""
        self.numbers = count()
        self.beside = timedelta()
        """So far beside the request is the moment of a backup."""
        self.looked: list[Callable[[], None]] = []
        """What they do after each look."""

    def put(self, name: str, item: Item) -> None:
        self.there.setdefault(name, {})[json.dumps(item["id"])] = item
        self._written()

    def remove(self, name: str, key: Item) -> None:
        self.there[name].pop(json.dumps(key["id"]))
        self._written()

    def find(self, name: str) -> Table | None:
        if name not in self.there:
            return None
        window = (self.earliest, self.clock.now() - TRAILS) if self.continuous else None
        return Table(name, f"arn:aws:dynamodb:{name}", "ACTIVE", ("id",), START, self.continuous, window)

    def key(self, name: str) -> str | None:
        return f"key-of-{name}"

    def items(self, name: str) -> Iterator[Item]:
        yield from list(self.there[name].values())
        if self.looked:
            self.looked.pop(0)()

    def back_up(self, table: str, name: str) -> str:
        self._others()
        arn = f"arn:aws:dynamodb:{table}/backup/{next(self.numbers)}"
        made = TableBackup(arn, name, "AVAILABLE", self.clock.now(), 10)
        then = self.clock.now() + self.beside
        there = [there for when, there in self.history if when <= then][-1] if self.beside else self.there
        self.kept[arn] = (table, made, dict(there[table]))
        self._others()
        return arn

    def backups(self, table: str) -> list[TableBackup]:
        return [made for of, made, _ in self.kept.values() if of == table]

    def backing_up(self, arn: str) -> Job:
        return Job(arn, "COMPLETED", "", "", arn)

    def forget(self, arn: str) -> None:
        self.kept.pop(arn, None)

    def restore(self, arn: str, name: str) -> None:
        self.there[name] = dict(self.kept[arn][2])

    def restore_at(self, source: str, name: str, at: datetime) -> None:
        assert START <= at <= self.clock.now() - TRAILS
        self.there[name] = dict([there for when, there in self.history if when <= at][-1][source])

    def restoring(self, name: str) -> Job:
        return Job(name, "COMPLETED", "", "", name)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        assert name in self.there
        assert tags

    def delete(self, name: str) -> bool:
        return self.there.pop(name, None) is not None

    def _written(self) -> None:
        self.history.append((self.clock.now(), {name: dict(one) for name, one in self.there.items()}))

    def _others(self) -> None:
        if self.meanwhile:
            self.meanwhile.pop(0)()


def made_item(number: int, value: str = "a") -> Item:
    return {"id": {"S": f"u{number}"}, "value": {"S": value}}


def restore_tested(
    backups: ItemBackups,
    spoil: Callable[[Restored], str] | None = None,
    tier: Tier = DAILY,
    tell: Tell = untold,
) -> restore_test.Tested:
    clock, vault = backups.patience.clock, backups.vault
    how = How("one", "prod", (tier,), Seals(vault.objects, "prod", vault.keys), spoil=spoil)
    return run(backups, Wanted(tier=tier.name), how, clock, tell)


def kinds(backups: ItemBackups, clock: FakeClock, *tests: restore_test.Tested) -> set[Kind]:
    found = gather(backups, clock.now(), [trial(one) for one in tests])
    return {one.kind for one in audit(found, Expected(tuple(backups.tiers)), clock.now()).findings}
