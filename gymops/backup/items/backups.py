"""The backups of an environment whose data are tables of items: the port's methods, in order."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from gymops import __version__
from gymops.aws.backup_jobs import Job
from gymops.aws.tables import Item, Table, TableBackup
from gymops.backup import runs, stream
from gymops.backup.items import content as contents
from gymops.backup.items.content import Content, Held, Look
from gymops.backup.items.record import Made, Part, Sets, Together, together
from gymops.backup.managed.lease import Leases
from gymops.backup.managed.waiting import Patience
from gymops.backup.port import Listing, Point, Restored, RestorePlan, Tell, Wanted, untold
from gymops.backup.recovery_point import NoPoint, SealedAt, StoredFile, new_id
from gymops.backup.tiers import CONTINUOUS, Tier, named
from gymops.backup.vault import Vault
from gymops.clock import ticks
from gymops.errors import ConfigError, GateRefused, GymopsError, Unverified
from gymops.eventlog.proof import Broken, Proof

KIND = "on-demand"
"""As what the backups are listed."""
TAGS = {"environment": "gymops:environment", "test": "gymops:restore-test"}
_LONGEST = 255
"""Characters of a table's name."""
_PATIENCE = 3600.0


class Tables(Protocol):
    """The tables of an account's region."""

    def find(self, name: str) -> Table | None:
        """A table."""

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
        """Write an item: a drill."""

    def remove(self, name: str, key: Item) -> None:
        """Delete an item: a drill."""


@dataclass(frozen=True)
class Lost(Broken):
    """An item that must be in a table, and is not there or something else."""

    def describe(self) -> str:
        """One line for people: names, and no value but the key's."""
        how = "is missing" if self.missing else "is not what it was when it was backed up"
        return f"the table {self.user}: the item {self.event_id} {how}"


@dataclass
class ItemBackups:
    """An environment's backups (``port.Backups``)."""

    environment: str
    prefix: str
    """What its names begin with."""
    names: Sequence[str]
    """Its tables."""
    tables: Tables
    vault: Vault
    region: str
    patience: Patience
    tiers: Sequence[Tier]
    verified: Callable[[], Mapping[str, datetime]] = dict
    """When a restore-test of a point last passed."""
    lasted: Callable[[str], float | None] = lambda _: None
    """How long the last restore took."""
    trusted: frozenset[str] = frozenset()
    """Whose signatures count beside our own."""
    _beat: int = field(default=0, init=False)

    def listing(self) -> Listing:
        """What was recorded, and whether its backups are there."""
        there = self._there()
        verified = self.verified()
        points = [
            Point(
                id=one.id,
                kind=KIND,
                tier=one.tier,
                taken=one.taken,
                size=sum(part.bytes or 0 for part in one.parts),
                encrypted=True,  # DynamoDB has nothing that is not
                locked=False,
                where=self.region,
                ready=all(part.backup in there for part in one.parts),
                keep_until=one.keep_until,
                seal=one.sealed,
                verified=verified.get(one.id),
            )
            for one in self.sets.all()
        ]
        return Listing(tuple(points), ())

    def seal(self, tell: Tell = untold) -> SealedAt | None:  # noqa: ARG002
        """There is no log of ours."""
        return None

    def take(self, tier: str, tell: Tell = untold) -> Point:
        """Back every table up, each between two looks at it; waited for, recorded, and what is old goes."""
        chosen = named(self.tiers, tier)
        if chosen.schedule is None:
            raise ConfigError(
                f"the tier {CONTINUOUS} of {self.environment} is DynamoDB's own: it is on or off",
                hint=f"gymops audit {self.environment} says which; gymops backup {self.environment}",
            )
        with runs.watched(self.vault, chosen, self.patience.clock, tell):
            made = self._take(chosen, tell)
        self._prune(tell)
        found = next((one for one in self.listing().points if one.id == made.id), None)
        if found is None or not found.ready:
            raise GymopsError(f"{made.id} was deleted meanwhile", hint="run the same again")
        return found

    def plan(self, wanted: Wanted) -> RestorePlan:
        """Decide from what is listed."""
        if wanted.at is not None or wanted.tier == CONTINUOUS:
            raise ConfigError(
                "what is between two backups of tables is not restored from here: nothing could be proved",
                hint=f"gymops restore {self.environment} --from ID; or: aws dynamodb"
                " restore-table-to-point-in-time",
            )
        chosen = self._chosen(wanted)
        identifier = new_id(self.patience.clock.now())
        to = wanted.to or f"{self.prefix}-{'test' if wanted.test else 'restore'}-{identifier[-8:]}"
        for name in (_named(to, part) for part in chosen.parts):
            if self.tables.find(name) is not None:
                raise GateRefused(
                    f"there is a table {name} already", hint="restore to another name: --to NEW"
                )
        return RestorePlan(
            id=identifier,
            environment=self.environment,
            source=", ".join(part.name for part in chosen.parts),
            point=chosen.id,
            at=None,
            to=to,
            seal=chosen.sealed,
            last_seconds=self.lasted(KIND),
            lost_since=chosen.taken,
            lost_events=None,
            test=wanted.test,
            settings={part.name: _named(to, part) for part in chosen.parts},
        )

    def restore(self, plan: RestorePlan, tell: Tell = untold) -> Restored:
        """Make a table of each backup, all at once."""
        chosen = self._chosen(Wanted(point=plan.point))
        tell = self._beating(plan, tell)
        names = {_named(plan.to, part): part for part in chosen.parts}
        if plan.test:
            self.sets.make(Made(plan.id, plan.to, tuple(names)))
        for name, part in names.items():
            tell("restore", f"{part.name} as {name}")
            self.tables.restore(part.backup, name)
        for name in names:
            self.patience.job("restore", name, lambda name=name: self.tables.restoring(name), tell)  # type: ignore[misc]
        tags = {TAGS["environment"]: self.environment, TAGS["test"]: str(plan.test).lower()}
        for name in names:
            self.tables.tag(name, tags)
        return Restored(plan.to, self.region, 0, None)

    def prove(self, plan: RestorePlan, restored: Restored, tell: Tell = untold) -> Proof:
        """Hold what came back, item by item, to what was around its backup."""
        chosen = self._chosen(Wanted(point=plan.point))
        tell = self._beating(plan, tell)
        found = [(part, self._held(part, _named(restored.name, part), tell)) for part in chosen.parts]
        broken = [lost for part, held in found for lost in _broken(part, held)]
        unclear = [f"{part.name}: {key}" for part, held in found for key in held.unclear]
        if unclear and not broken:
            more = f" and {len(unclear) - 1} more" if len(unclear) > 1 else ""
            raise Unverified(
                f"what must be there is; but of {unclear[0]}{more} nobody can tell: written more than once"
                " while it was backed up",
                hint=f"gymops backup {self.environment} when less is written, and test that",
            )
        return Proof(
            sum(held.expected for _, held in found),
            together(part.digest for part in chosen.parts),
            sum(held.restored for _, held in found),
            together(held.digest for _, held in found),
            newer=0,
            rejected=True,
            broken=tuple(broken),
        )

    def drop(self, restored: Restored) -> None:
        """Delete what a test made, and nothing else."""
        for one in self.sets.made():
            if one.to == restored.name:
                self._unmake(one, untold)
                return
        raise GateRefused(f"{restored.name} was made by no restore-test of {self.environment}")

    def clear(self, tell: Tell = untold) -> Sequence[str]:
        """Delete what tests left whose process is gone, or was silent for too long."""
        left = [one for one in self.sets.made() if not self._leases.held(one.id)]
        for one in left:
            self._unmake(one, tell)
        return [name for one in left for name in one.names]

    @property
    def sets(self) -> Sets:
        """What is recorded."""
        return Sets(self.vault.objects, self.environment, self.vault.keys, self.trusted)

    def orphans(self) -> Sequence[str]:
        """Backups that a killed run of ours left, and no record names: their ARNs."""
        ours, old = f"{self._label}-", self.patience.clock.now() - timedelta(hours=1)
        known = {part.backup for one in self.sets.all() for part in one.parts}
        return [
            one.arn
            for name in self.names
            for one in self.tables.backups(name)
            if one.name.startswith(ours) and one.arn not in known and one.made < old
        ]

    def _take(self, tier: Tier, tell: Tell) -> Together:
        began = self.patience.clock.now()
        identifier, taken = new_id(began), None
        parts: list[Part] = []
        try:
            for name in self.names:
                part, asked = self._part(name, identifier, tell)
                parts.append(part)
                taken = taken or asked
            made = Together(
                identifier, self.environment, tier.name, taken or began, self.patience.clock.now(),
                tuple(parts), __version__, began + tier.keep,
            )  # fmt: skip
            self.sets.add(made)
        except GymopsError:
            for part in parts:  # the next run finds what is not deleted now
                with suppress(GymopsError):
                    self.tables.forget(part.backup)
                    self.vault.blobs.delete(part.content.key)
            raise
        return made

    def _part(self, name: str, identifier: str, tell: Tell) -> tuple[Part, datetime]:
        table = self.tables.find(name)
        if table is None:
            raise GymopsError(
                f"the table {name} is gone",
                hint=f"gymops backups {self.environment} lists what there is of it",
            )
        tell("look", f"{name}, before")
        before = self._look(name, table.keys)
        tell("backup", name)
        asked = self.patience.clock.now()
        backup = self.tables.back_up(name, f"{self._label}-{identifier}")
        self.patience.job("backup", f"a backup of {name}", lambda: self.tables.backing_up(backup), tell)
        tell("look", f"{name}, after")
        content = Content.of(before, self._look(name, table.keys))
        stored = self._store(content, f"{self.environment}/{identifier}/{name}.jsonl.zst.age")
        size = next((one.bytes for one in self.tables.backups(name) if one.arn == backup), None)
        items, moving = len(content.steady), len(content.moving)
        return Part(name, table.arn, backup, size, stored, items, moving, content.digest), asked

    def _look(self, name: str, keys: Sequence[str]) -> Look:
        return {contents.key(one, keys): contents.fingerprint(one) for one in self.tables.items(name)}

    def _store(self, content: Content, key: str) -> StoredFile:
        with self.vault.blobs.write(key) as sink:
            written = stream.store(io.BytesIO(b"".join(content.lines())), sink, self.vault.keys)
        return StoredFile(key, written.bytes, written.sha256, written.plain)

    def _held(self, part: Part, name: str, tell: Tell) -> Held:
        tell("prove", f"{part.items:,} items of {part.name}")
        table = self.tables.find(name)
        if table is None:
            raise Unverified(f"{name} was deleted meanwhile", hint="run the same again")
        plain, file = io.BytesIO(), part.content
        with self.vault.blobs.read(file.key) as source:
            checked = stream.Checked(source, file.key, file.bytes, file.sha256)
            stream.load(checked, plain, self.vault.keys, name=file.key)
            checked.finish()
        content = contents.load(plain.getvalue().splitlines())
        return contents.hold(content, self._look(name, table.keys))

    def _chosen(self, wanted: Wanted) -> Together:
        there = self._there()
        found = [
            one
            for one in self.sets.all()
            if wanted.point in (None, one.id)
            and wanted.tier in (None, one.tier)
            and all(part.backup in there for part in one.parts)
        ]
        if not found:
            what = f"no backup {wanted.point}" if wanted.point else "no backup"
            tier = f" of the tier {wanted.tier}" if wanted.tier else ""
            raise NoPoint(
                f"there is {what}{tier} of {self.environment} that can be restored",
                hint=f"gymops backups {self.environment} lists them; gymops backup {self.environment}",
            )
        return found[-1]

    def _there(self) -> set[str]:
        """The backups that can be restored, of tables that are there or were deleted."""
        names = dict.fromkeys([*self.names, *(part.name for one in self.sets.all() for part in one.parts)])
        found = [one for name in names for one in self.tables.backups(name)]
        return {one.arn for one in found if one.status == "AVAILABLE"}

    def _prune(self, tell: Tell) -> None:
        """Let go of what is kept no longer, but never of the newest: the record first."""
        now, found = self.patience.clock.now(), self.sets.all()
        for one in found[:-1]:
            if one.keep_until is not None and one.keep_until < now:
                tell("prune", one.id)
                self.sets.remove(one)
                for part in one.parts:
                    self.tables.forget(part.backup)
                    self.vault.blobs.delete(part.content.key)
        for backup in self.orphans():
            tell("prune", backup)
            self.tables.forget(backup)

    def _unmake(self, one: Made, tell: Tell) -> None:
        """Delete, and wait until all of it is gone."""
        patience = self.patience
        for _ in ticks(patience.clock, timeout=_PATIENCE, interval=patience.interval):
            left = [name for name in one.names if self.tables.delete(name)]
            if not left:
                self.sets.unmade(one)
                self._leases.drop(one.id)
                return
            tell("drop", ", ".join(left))
        raise GymopsError(f"{one.to} is not deleted after an hour", hint="the next restore-test deletes it")

    def _beating(self, plan: RestorePlan, tell: Tell) -> Tell:
        """Whatever is told also says that a test still runs."""
        if not plan.test:
            return tell

        def beat(phase: str, how_far: str) -> None:
            self._beat += 1
            self._leases.hold(plan.id, self._beat)
            tell(phase, how_far)

        beat("restore", plan.to)
        return beat

    @property
    def _leases(self) -> Leases:
        return Leases(self.vault.objects, self.environment)

    @property
    def _label(self) -> str:
        return f"gymops-{self.environment}"


def _named(to: str, part: Part) -> str:
    """The table that a part is restored as."""
    name = f"{to}-{part.name}"
    if len(name) > _LONGEST:
        raise ConfigError(
            f"{name} is longer than {_LONGEST} characters", hint="restore to a shorter name: --to NEW"
        )
    return name


def _broken(part: Part, held: Held) -> Iterator[Lost]:
    for keys, missing in ((held.missing, 1), (held.changed, 0)):
        for one in keys:
            yield Lost(part.name, 0, 0, one, missing)
