"""The backups of an environment whose data are tables and buckets: the port's methods, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from gymops.backup import runs
from gymops.backup.items import looks
from gymops.backup.items.beating import beating
from gymops.backup.items.lost import broken
from gymops.backup.items.port import TAGS, Holder, Keeper, Kept, Planned, Source
from gymops.backup.items.pruning import Pruning, whose
from gymops.backup.items.record import Made, Part, Sets, Together, together
from gymops.backup.items.taking import Taking
from gymops.backup.items.times import Times
from gymops.backup.items.unmaking import Unmaking
from gymops.backup.managed.lease import Leases
from gymops.backup.managed.waiting import Patience
from gymops.backup.port import Listing, Point, Restored, RestorePlan, Tell, Wanted, untold
from gymops.backup.recovery_point import NoPoint, SealedAt, new_id
from gymops.backup.tiers import CONTINUOUS, Tier, named
from gymops.backup.vault import Vault
from gymops.errors import ConfigError, GateRefused, GymopsError, Unverified
from gymops.eventlog.proof import Proof

KIND = "items"
"""The kind of what is restored, where its time is remembered."""


@dataclass
class ItemBackups:
    """An environment's backups (``port.Backups``)."""

    environment: str
    prefix: str
    """What its names begin with."""
    sources: Sequence[Source]
    holders: Mapping[str, Holder]
    """By the kind of source."""
    takes: Mapping[str, Keeper]
    """Who takes backups of each kind; nobody does of what is not in it."""
    keepers: Sequence[Keeper]
    """Who may have taken one."""
    vault: Vault
    region: str
    patience: Patience
    tiers: Sequence[Tier]
    times: Times
    """Of the tables."""
    verified: Callable[[], Mapping[str, datetime]] = dict
    """When a restore-test of a point last passed."""
    lasted: Callable[[str], float | None] = lambda _: None
    """How long the last restore took."""
    apart: float = 0.0
    """Seconds by which the moment of a backup is uncertain."""
    _beats: Iterator[int] = field(default_factory=count, init=False)

    def listing(self) -> Listing:
        """What was recorded, and whether its backups are there."""
        there, verified = self._there(), self.verified()
        points = [self._point(one, there, verified) for one in self.sets.all()]
        points += [one.point for one in self.planned()]
        window = self.times.window()
        return Listing(tuple(sorted(points, key=lambda one: one.taken)), (window,) if window else ())

    def planned(self) -> Sequence[Planned]:
        """What AWS Backup took by its own plan, of what is there. It is whole if it has all that its tier had
        before: a job that failed has no recovery point.
        """
        known = {part.backup for one in self.sets.all() for part in one.parts}
        arns = [(one.name, self.holders[one.kind].arn(one.name)) for one in self.sources]
        there = [(name, arn) for name, arn in arns if arn is not None]
        had: dict[str | None, frozenset[str]] = {}
        found = []
        for one in (one for keeper in self.keepers for one in keeper.planned(there, known)):
            before = had.get(one.point.tier, frozenset())
            found.append(replace(one, point=replace(one.point, ready=before <= one.names)))
            had[one.point.tier] = before | one.names
        return found

    def seal(self, tell: Tell = untold) -> SealedAt | None:  # noqa: ARG002
        """There is no log of ours."""
        return None

    def take(self, tier: str, tell: Tell = untold) -> Point:
        """Back each up between two looks at it; waited for, recorded, and what is old goes."""
        chosen = named(self.tiers, tier)
        if chosen.schedule is None:
            raise ConfigError(
                f"the tier {CONTINUOUS} of {self.environment} is DynamoDB's own: it is on or off",
                hint=f"gymops audit {self.environment} says which; gymops backup {self.environment}",
            )
        with runs.watched(self.vault, chosen, self.patience.clock, tell):
            made = self._taking.take(chosen, tell)
        now, pruning = self.patience.clock.now(), self._pruning
        pruning.old(now, self.verified(), tell)
        pruning.left(now, tell)
        found = next((one for one in self.listing().points if one.id == made.id), None)
        if found is None or not found.ready:
            raise GymopsError(f"{made.id} was deleted meanwhile", hint="run the same again")
        return found

    def plan(self, wanted: Wanted) -> RestorePlan:
        """Decide from what is listed."""
        at, point = None, None
        if wanted.tier == CONTINUOUS or wanted.at is not None:
            if wanted.point is not None:
                raise ConfigError("no time follows on a backup of tables", hint="--from or --at, not both")
            at = moment = self.times.chosen(wanted.at)
            chosen, of = self.times.recorded(at), [("table", name) for name in self.times.names]
        else:
            chosen = self._chosen(wanted)
            point, moment = chosen.id, chosen.taken
            of = [(part.kind, part.name) for part in chosen.parts]
        identifier = new_id(self.patience.clock.now())
        to = wanted.to or f"{self.prefix}-{'test' if wanted.test else 'restore'}-{identifier[-8:]}"
        new = {one: self.holders[one[0]].called(to, one[1]) for one in of}
        for (kind, _), name in new.items():
            if self.holders[kind].arn(name) is not None:
                raise GateRefused(
                    f"there is a {kind} {name} already", hint="restore to another name: --to NEW"
                )
        return RestorePlan(
            id=identifier,
            environment=self.environment,
            source=", ".join(name for _, name in of),
            point=point,
            at=at,
            to=to,
            seal=chosen.sealed if chosen else None,
            last_seconds=self.lasted(KIND),
            lost_since=moment,
            lost_events=None,
            test=wanted.test,
            settings={name: called for (_, name), called in new.items()},
        )

    def restore(self, plan: RestorePlan, tell: Tell = untold) -> Restored:
        """Make a new one of each, all at once."""
        chosen = None if plan.at else self._chosen(Wanted(point=plan.point))
        tell = self._beating(plan, tell)
        parts = chosen.parts if chosen else ()
        of = [(part.kind, part.name) for part in parts] or [("table", name) for name in self.times.names]
        new = {one: self.holders[one[0]].called(plan.to, one[1]) for one in of}
        if plan.test:
            made = {kind: tuple(new[one] for one in of if one[0] == kind) for kind, _ in of}
            self.sets.make(Made(plan.id, plan.to, made.get("table", ()), made.get("bucket", ())))
        for (_, name), to in new.items():
            tell("restore", f"{name} as {to}")
        begun = self.times.begin({name: new[kind, name] for kind, name in of}, plan.at) if plan.at else []
        for part in parts:
            to = new[part.kind, part.name]
            begun.append((to, self._keeper(part.backup).restore(part, to, plan.id)))
        for name, look in begun:
            self.patience.job("restore", name, look, tell)
        tags = {TAGS["environment"]: self.environment, TAGS["test"]: str(plan.test).lower()}
        for (kind, _), to in new.items():
            self.holders[kind].tag(to, tags)
        return Restored(plan.to, self.region, 0, None)

    def prove(self, plan: RestorePlan, restored: Restored, tell: Tell = untold) -> Proof:
        """Hold what came back, item by item, to what was around its backup."""
        chosen = self.times.recorded(plan.at) if plan.at else self._chosen(Wanted(point=plan.point))
        if chosen is None:
            raise Unverified(
                "nothing was recorded around that moment: what came back is what DynamoDB says it was, and"
                " nothing proves it",
                hint=f"gymops restore-test {self.environment} --tier {CONTINUOUS} proves a moment of its own",
            )
        tell, found = self._beating(plan, tell), []
        for part in chosen.parts:
            holder, name = self.holders[part.kind], self._called(restored.name, part)
            found.append((part, looks.held(self.vault, holder, part, name, tell)))
        lost = [one for part, held in found for one in broken(part, held)]
        unclear = [f"{part.name}: {key}" for part, held in found for key in held.unclear]
        if unclear and not lost:
            more = f" and {len(unclear) - 1} more" if len(unclear) > 1 else ""
            raise Unverified(
                f"what must be there is; but of {unclear[0]}{more} nobody can tell: written more than once"
                " while it was backed up, or copied so that its list does not say",
                hint=f"gymops backup {self.environment} when less is written, and test that",
            )
        return Proof(
            sum(held.expected for _, held in found),
            together(part.digest for part in chosen.parts),
            sum(held.restored for _, held in found),
            together(held.digest for _, held in found),
            newer=0,
            rejected=True,
            broken=tuple(lost),
        )

    def drop(self, restored: Restored) -> None:
        """Delete what a test made, and nothing else."""
        for one in self.sets.made():
            if one.to == restored.name:
                self._unmaking.unmake(one, untold)
                return
        raise GateRefused(f"{restored.name} was made by no restore-test of {self.environment}")

    def clear(self, tell: Tell = untold) -> Sequence[str]:
        """Delete what tests left whose process is gone, or was silent for too long."""
        left = [one for one in self.sets.made() if not self._leases.held(one.id)]
        return [name for one in left for name in self._unmaking.unmake(one, tell)]

    def spoil(self, restored: Restored, *, missing: bool) -> str:
        """A drill: delete or change the first item of what a test made; what was done.

        Raises:
            ConfigError: there is none.
        """
        made = next(one for one in self.sets.made() if one.to == restored.name)
        for kind, names in (("table", made.tables), ("bucket", made.buckets)):
            for name in names:
                if done := self.holders[kind].spoil(name, missing=missing):
                    return done
        raise ConfigError("there is no item to spoil", hint="leave --drill out")

    @property
    def sets(self) -> Sets:
        """What is recorded."""
        return Sets(self.vault.objects, self.environment, self.vault.keys)

    def orphans(self) -> Sequence[str]:
        """Backups of ours that no record names, of a killed run or of records that are lost: their ARNs."""
        known = {part.backup for one in self.sets.all() for part in one.parts}
        names = [one.name for one in self.sources if one.kind == "table"]
        old = self.patience.clock.now() - timedelta(hours=1)
        found = [arn for one in self.keepers for arn in one.strays(names, f"{self._label}-", old)]
        return [arn for arn in found if arn not in known]

    def _point(self, one: Together, there: Mapping[str, Kept], verified: Mapping[str, datetime]) -> Point:
        kept = [there.get(part.backup) for part in one.parts]
        return Point(
            id=one.id,
            kind="on-demand" if all(":dynamodb:" in part.backup for part in one.parts) else "aws-backup",
            tier=one.tier,
            taken=one.taken,
            size=sum((backup.bytes or 0) for backup in kept if backup),
            encrypted=all(backup.encrypted for backup in kept if backup),
            locked=all(backup is not None and backup.locked for backup in kept),
            where=self.region,
            ready=all(kept),
            keep_until=one.keep_until,
            seal=one.sealed,
            verified=verified.get(one.id),
        )

    def _chosen(self, wanted: Wanted) -> Together:
        there = self._there()
        found = [
            one
            for one in self.sets.all()
            if wanted.point in (None, one.id)
            and wanted.tier in (None, one.tier)
            and all(part.backup in there for part in one.parts)
        ]
        if not found and wanted.point and wanted.point.startswith("plan-"):
            raise NoPoint(
                f"{wanted.point} was taken by AWS Backup's own plan: nothing was recorded around it, and"
                " nothing could be proved",
                hint="aws backup start-restore-job, of each of its recovery points; what gymops backup takes"
                " is restored and proved",
            )
        if not found:
            what = f"no backup {wanted.point}" if wanted.point else "no backup"
            tier = f" of the tier {wanted.tier}" if wanted.tier else ""
            raise NoPoint(
                f"there is {what}{tier} of {self.environment} that can be restored",
                hint=f"gymops backups {self.environment} lists them; gymops backup {self.environment}",
            )
        return found[-1]

    def _there(self) -> Mapping[str, Kept]:
        """The backups that can be restored, of what is there or was deleted."""
        parts = [part for one in self.sets.all() for part in one.parts]
        found: dict[str, Kept] = {}
        for keeper in self.keepers:
            own = dict.fromkeys((part.name, part.arn) for part in parts if keeper.keeps(part.backup))
            found |= keeper.there(list(own))
        return found

    def _beating(self, plan: RestorePlan, tell: Tell) -> Tell:
        return beating(self._leases, plan.id, self._beats, tell) if plan.test else tell

    def _keeper(self, backup: str) -> Keeper:
        return whose(self.keepers, backup, self.environment)

    def _called(self, to: str, part: Part) -> str:
        return self.holders[part.kind].called(to, part.name)

    @property
    def _taking(self) -> Taking:
        return Taking(
            self.environment, self.sources, self.holders, self.takes, self.vault, self.patience, self.sets,
            self._leases, self._label, self.apart,
        )  # fmt: skip

    @property
    def _pruning(self) -> Pruning:
        tables = [one.name for one in self.sources if one.kind == "table"]
        return Pruning(
            self.environment, tables, self.keepers, self.vault, self.sets, self._leases, self._label
        )

    @property
    def _unmaking(self) -> Unmaking:
        return Unmaking(self.sets, self._leases, self.holders, self.patience)

    @property
    def _leases(self) -> Leases:
        return Leases(self.vault.objects, self.environment)

    @property
    def _label(self) -> str:
        return f"gymops-{self.environment}"
