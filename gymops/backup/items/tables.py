"""Tables of DynamoDB, and their backups on demand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gymops.aws.backup_jobs import Job
from gymops.aws.tables import Item, Table, TableBackup
from gymops.backup.evidence import Gap
from gymops.backup.items import content as contents
from gymops.backup.items.content import Content, Look
from gymops.backup.items.port import EACH, Counted, Kept, Planned, uncounted
from gymops.backup.items.record import Part
from gymops.backup.managed.waiting import Patience
from gymops.backup.port import Tell
from gymops.errors import ConfigError, GymopsError

_LONGEST = 255
"""Characters of a table's name."""


class Tables(Protocol):
    """The tables of an account's region."""

    def find(self, name: str) -> Table | None:
        """A table."""

    def key(self, name: str) -> str | None:
        """The key of KMS by which a table is encrypted."""

    def items(self, name: str) -> Iterator[Item]:
        """All items."""

    def back_up(self, table: str, name: str) -> str:
        """Begin a backup."""

    def backups(self, table: str) -> Sequence[TableBackup]:
        """A table's backups."""

    def backing_up(self, arn: str) -> Job:
        """How far a backup is."""

    def forget(self, arn: str) -> None:
        """Delete a backup."""

    def restore(self, arn: str, name: str) -> None:
        """Begin to make a table of a backup."""

    def restoring(self, name: str) -> Job:
        """How far it is."""

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Say what a table is for."""

    def delete(self, name: str) -> bool:
        """Begin to delete a table; whether it is still there."""

    def put(self, name: str, item: Item) -> None:
        """Write an item."""

    def remove(self, name: str, key: Item) -> None:
        """Delete an item."""


@dataclass(frozen=True)
class TableHolder:
    """Tables, as what holds items (``port.Holder``)."""

    tables: Tables

    def arn(self, name: str) -> str | None:
        found = self.tables.find(name)
        return found.arn if found else None

    def key(self, name: str) -> str | None:
        return self.tables.key(name)

    def look(self, name: str, counted: Counted = uncounted) -> Look:
        table = self.tables.find(name)
        if table is None:
            raise GymopsError(f"the table {name} is gone")
        found = {}
        for number, one in enumerate(self.tables.items(name), 1):
            found[contents.key(one, table.keys)] = contents.fingerprint(one)
            if number % EACH == 0:
                counted(number)
        return found

    def settled(
        self, part: Part, name: str, content: Content, found: Look, counted: Counted = uncounted  # noqa: ARG002
    ) -> tuple[Look, Sequence[str]]:  # fmt: skip
        return found, ()

    def called(self, to: str, name: str) -> str:
        found = f"{to}-{name}"
        if len(found) > _LONGEST:
            raise ConfigError(
                f"{found} is longer than {_LONGEST} characters", hint="restore to a shorter name: --to NEW"
            )
        return found

    def gaps(self, name: str) -> Sequence[Gap]:
        table = self.tables.find(name)
        return [] if table is None or table.continuous else [Gap.TIMES]

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        self.tables.tag(name, tags)

    def delete(self, name: str) -> bool:
        return self.tables.delete(name)

    def spoil(self, name: str, *, missing: bool) -> str | None:
        table = self.tables.find(name)
        found = {contents.key(one, table.keys): one for one in self.tables.items(name)} if table else {}
        if table is None or not found:
            return None
        key, item = min(found.items(), key=lambda one: one[0])
        if missing:
            self.tables.remove(name, {part: item[part] for part in table.keys})
            return f"the item {key} deleted"
        self.tables.put(name, {**item, "gymops-drill": {"BOOL": True}})
        return f"the item {key} changed"


@dataclass(frozen=True)
class OnDemand:
    """DynamoDB itself, as who keeps backups (``port.Keeper``)."""

    tables: Tables
    patience: Patience

    def keeps(self, backup: str) -> bool:
        return ":dynamodb:" in backup

    def back_up(self, name: str, arn: str, label: str, tier: str, days: int, tell: Tell) -> str:  # noqa: ARG002
        made = self.tables.back_up(name, label)
        return self.patience.job("backup", f"a backup of {name}", lambda: self.tables.backing_up(made), tell)

    def there(self, parts: Sequence[tuple[str, str]]) -> Mapping[str, Kept]:
        found = [one for name, arn in parts if ":dynamodb:" in arn for one in self.tables.backups(name)]
        # DynamoDB has nothing that is not encrypted, and nothing that keeps these from being deleted.
        return {one.arn: Kept(one.bytes, True, False) for one in found if one.status == "AVAILABLE"}

    def planned(self, sources: Sequence[tuple[str, str]], known: Collection[str]) -> Sequence[Planned]:  # noqa: ARG002
        return ()

    def restore(self, part: Part, name: str, plan: str) -> Callable[[], Job]:  # noqa: ARG002
        self.tables.restore(part.backup, name)
        return lambda: self.tables.restoring(name)

    def forget(self, backup: str) -> None:
        self.tables.forget(backup)

    def strays(self, names: Sequence[str], label: str, before: datetime) -> Sequence[str]:
        found = [one for name in names for one in self.tables.backups(name)]
        return [one.arn for one in found if one.name.startswith(label) and one.made < before]
