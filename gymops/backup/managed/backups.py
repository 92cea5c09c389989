"""The backups of an environment whose database is an RDS instance: the port's methods, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gymops.backup import runs
from gymops.backup.catalogue import Catalogue, Seals
from gymops.backup.evidence import Job, State
from gymops.backup.keys import Keys
from gymops.backup.managed import listing as listed
from gymops.backup.managed import planning, pruning, restoring, sealing, tags
from gymops.backup.managed.inside import Inside
from gymops.backup.managed.judging import Verdict, judge
from gymops.backup.managed.known import Known, way_back
from gymops.backup.managed.known import known as written_down
from gymops.backup.managed.lease import Leases
from gymops.backup.managed.places import Places
from gymops.backup.managed.proving import Proving
from gymops.backup.managed.source import Source, Sources, is_stopped, running
from gymops.backup.managed.taking import COPIED_BACK, COPY_DAYS, Aws, Kept, Taking
from gymops.backup.managed.waiting import Gone, Patience
from gymops.backup.port import Listing, Point, Restored, RestorePlan, Tell, Wanted, untold
from gymops.backup.recovery_point import Kind, SealedAt, new_id, sealed_at
from gymops.errors import ConfigError, Exists, GateRefused, GymopsError
from gymops.eventlog.proof import Proof
from gymops.eventlog.seal import LogDamaged
from gymops.store.objects import Objects


@dataclass
class ManagedBackups:
    """An environment's backups (``port.Backups``)."""

    environment: str
    prefix: str
    """What its names begin with."""
    aws: Aws
    places: Places | None
    """None: its stacks are gone, and what was written down is believed."""
    objects: Objects
    keys: Keys
    patience: Patience
    tiers: Mapping[str, Kept]
    verified: Callable[[], Mapping[str, datetime]] = dict
    """When a restore-test of a point last passed."""
    lasted: Callable[[str], float | None] = lambda _: None
    """How long the last restore of a kind took: ``time``, or a point's."""
    trusted: frozenset[str] = frozenset()
    """Whose signatures count beside our own."""
    _beat: int = field(default=0, init=False)

    def listing(self) -> Listing:
        """RDS's own backups, AWS Backup's, and their copies elsewhere."""
        source = self.source()
        return self._look(source)

    def seal(self, tell: Tell = untold) -> SealedAt | None:
        """Record what the log holds now, by the function that reaches it."""
        source = self.source()
        running(self.aws.databases, self.environment, source.places.instance)
        if not source.places.function:
            return None
        tell("seal", "what the log holds")
        return sealing.record(Inside(self.aws.functions, source.places.function), self.seals, tell)

    def take(self, tier: str, tell: Tell = untold) -> Point:
        """Seal, then have AWS back up and copy; waited for. Of a log that is damaged nothing is sealed and
        nothing old deleted: see ``gymops.backup.damage``.
        """
        if tier not in self.tiers:
            raise ConfigError(
                f"{self.environment} has no tier {tier!r}", hint=f"its tiers: {', '.join(sorted(self.tiers))}"
            )
        source = self.source()
        running(self.aws.databases, self.environment, source.places.instance)
        seal, damaged = self._sealed(tier, tell)
        if tier == planning.CONTINUOUS:
            return self._continuous(source, seal, damaged)
        kept = self.tiers[tier]
        began = self.patience.clock.now()
        taking = self._taking(source, tell)
        made = taking.take(tier, kept, new_id(began))
        for one, kind in made:
            self._catalogue.add(taking.recorded(one, kind, tier, began, kept, seal, damaged))
        name = made[0][0]
        if damaged is None:
            self._prune(source)
        found = next((one for one in self._look(source).points if one.id == name), None)
        if found is None:
            raise Gone(f"{name} was deleted meanwhile", hint="run the same again")
        return found

    def way_back(self) -> str:
        """The command that brings back the last moment of which it is known that all was well."""
        source = self.source()
        known = self.known()
        return way_back(self.environment, self._look(source, known), known.newest)

    def plan(self, wanted: Wanted) -> RestorePlan:
        """Decide from what is listed."""
        source = self.source()
        known = self.known()
        found = self._look(source, known)
        begun = self.aws.databases.find(wanted.to) if wanted.to else None
        if begun is not None:
            wanted = restoring.same(self.environment, begun, wanted)
        chosen = planning.choose(self.environment, found, wanted, known)
        identifier = new_id(self.patience.clock.now())
        if begun is not None:
            identifier = begun.tags[tags.ID]
        name = wanted.to or f"{self.prefix[:45]}-restore-{identifier[-8:]}"
        kind = "time" if chosen.point is None else chosen.point.kind
        events = known.newest.events if known.newest else None
        around = planning.Around(
            self.environment, identifier, name.lower(), events, source.settings, self.lasted(kind)
        )
        return planning.plan(chosen, around, test=wanted.test)

    def restore(self, plan: RestorePlan, tell: Tell = untold) -> Restored:
        """Bring it back, set as its source is."""
        source = self.source()
        tell = self._beating(plan, tell)
        tell("restore", f"{plan.point or plan.at} as {plan.to}")
        settings = planning.with_test(source.settings) if plan.test else dict(source.settings)
        work = restoring.Work(self.aws.databases, self.patience, plan, settings, self._source_tags(source))
        if self.aws.databases.find(plan.to) is None:
            if plan.point is None:
                work.begin_time(self._resource(source, plan))
            else:
                work.begin_snapshot(self._snapshot(plan.point, plan, source, tell))
        made = work.finish(tell)
        return Restored(made.name, made.host, made.port, None)

    def prove(self, plan: RestorePlan, restored: Restored, tell: Tell = untold) -> Proof:
        """Hold what came back to the seal, by the function that reaches it."""
        source = self.source()
        tell = self._beating(plan, tell)
        return self._proving(source).prove(restored.name, plan.seal, tell)

    def spoil(self, restored: Restored, how: str) -> str:
        """Put a fault into what a test restored, for a drill; what was done.

        Raises:
            GateRefused: no test restored it.
        """
        return self._proving(self.source()).spoil(restored.name, how)

    def read(self, restored: Restored) -> str:
        """Run the app on what was restored, where it can be reached, and read through it; what it read.

        Raises:
            AppFailed: the app does not work on it.
            Unverified: nobody can tell.
        """
        return self._proving(self.source()).read(restored.name)

    def judge(self, tell: Tell = untold) -> Sequence[Verdict]:
        """Prove what AWS Backup's own plan restored, and tell it.

        Raises:
            AwsError: AWS does not answer; what was not told is found by the next call.
        """
        source = self.source()
        return judge(source.arn, self.aws.jobs, lambda: self._look(source), self._proving(source), tell)

    def drop(self, restored: Restored) -> None:
        """Delete what a restore made, and nothing else."""
        there = self.aws.databases.find(restored.name)
        if there is None:
            return
        if there.tags.get(tags.ENVIRONMENT) != self.environment or tags.ID not in there.tags:
            raise GateRefused(f"{restored.name} was made by no restore of {self.environment}")
        self.patience.gone(self.aws.databases, restored.name, untold)
        self._leases.drop(there.tags[tags.ID])

    def clear(self, tell: Tell = untold) -> Sequence[str]:
        """Delete what tests left whose process is gone, or was silent for too long."""
        left = [
            one
            for one in self.aws.databases.all()
            if one.tags.get(tags.ENVIRONMENT) == self.environment
            and one.tags.get(tags.TEST) == "true"
            and not self._leases.held(one.tags.get(tags.ID, ""))
        ]
        for one in left:
            self.patience.gone(self.aws.databases, one.name, tell)
            self._leases.drop(one.tags.get(tags.ID, ""))
        return [one.name for one in left]

    def known(self) -> Known:
        """What is written down beside the backups."""
        return written_down(self, self._catalogue.points(), self.seals, self.verified())

    def _look(self, source: Source, known: Known | None = None) -> Listing:
        places, known = source.places, known or self.known()
        there = self.aws.elsewhere(places.copies_region)[1] if places.copies_region else None
        return listed.look(places, source.arn, self.aws.databases, self.aws.vaults, there, known)

    def source(self) -> Source:
        """As it is now, and written down for when it is gone; then as it was written down."""
        sources = Sources(self.objects, self.environment, self.keys, self.trusted)
        return sources.now(self.aws.databases, self.places)

    @property
    def stopped(self) -> bool:
        """Whether its database is stopped, as at night."""
        there = self.aws.databases.find(self.places.instance) if self.places else None
        return is_stopped(there)

    def _sealed(self, tier: str, tell: Tell) -> tuple[SealedAt | None, str | None]:
        """The newest seal; and how the log is damaged, if it is, of which word is left at once: whatever
        becomes of the backup.
        """
        try:
            return self.seal(tell), None
        except LogDamaged as error:
            now = self.patience.clock.now()
            job = Job(tier, now, State.UNSEALED, now, message=error.message)
            runs.leave_word(self, job, once=tier == planning.CONTINUOUS)
            last = next(iter(self.seals.back()), None)
            return sealed_at(last) if last else None, error.message

    def _continuous(self, source: Source, seal: SealedAt | None, damaged: str | None) -> Point:
        known = self.known()
        window = next((one for one in self._look(source, known).windows if one.id == source.resource), None)
        if window is None:
            raise GymopsError(
                f"{source.places.instance} has no automated backups",
                hint="BackupDays in its parameters turns them on; then gymops deploy",
            )
        there = running(self.aws.databases, self.environment, source.places.instance)
        return Point(
            id=source.resource,
            kind=planning.CONTINUOUS,
            tier=planning.CONTINUOUS,
            taken=window.latest,
            size=None,
            encrypted=there.encrypted,
            locked=False,
            where=self.aws.databases.region,
            ready=True,
            seal=known.sealed(window.latest) if seal else None,
            damaged=damaged,
        )

    def _prune(self, source: Source) -> None:
        now = self.patience.clock.now()
        pruning.prune(self._catalogue, self.aws.databases, self._look(source), now, self.verified())
        self.seals.sum_up()

    def _snapshot(self, point: str, plan: RestorePlan, source: Source, tell: Tell) -> str:
        """What RDS restores a point by. One that is copied back for it is written down: it holds what was
        sealed when its original was taken, and is of no tier.
        """
        taking = self._taking(source, tell)
        arn = taking.snapshot(point)
        name = listed.point_id(arn, self.aws.databases.region)
        if "/" in point:
            its = next((one.damaged for one in self._look(source).points if one.id == point), None)
            record = taking.recorded(
                name, Kind.VAULT, COPIED_BACK, plan.lost_since, Kept(COPY_DAYS), plan.seal, its
            )
            with suppress(Exists):  # the same command, again
                self._catalogue.add(replace(record, keep_until=record.ended + timedelta(days=COPY_DAYS)))
        return arn

    def _proving(self, source: Source) -> Proving:
        return Proving(self.aws.databases, self.aws.functions, source.places.function, self.seals)

    def _taking(self, source: Source, tell: Tell) -> Taking:
        return Taking(self.environment, self.prefix, self.aws, self.patience, source, tell)

    def _resource(self, source: Source, plan: RestorePlan) -> str:
        """Whose continuous backups: of the instance that is there, or of one that went."""
        windows = [
            one for one in self._look(source).windows if plan.at and one.earliest <= plan.at <= one.latest
        ]
        if not windows:
            raise GymopsError(
                f"{plan.at} cannot be restored any more", hint="run the same again for a new plan"
            )
        return windows[0].id

    def _source_tags(self, source: Source) -> Mapping[str, str]:
        there = self.aws.databases.find(source.places.instance)
        return there.tags if there else {}

    def _beating(self, plan: RestorePlan, tell: Tell) -> Tell:
        """Whatever is told also says that a test still runs."""
        if not plan.test:
            return tell

        def beat(phase: str, how_far: str) -> None:
            self._beat += 1
            self._leases.hold(plan.id, self._beat)
            tell(phase, how_far)

        return beat

    @property
    def seals(self) -> Seals:
        """What was sealed, beside the backups."""
        return Seals(self.objects, self.environment, self.keys, self.trusted)

    @property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self.objects, self.environment, self.keys, self.trusted)

    @property
    def _leases(self) -> Leases:
        return Leases(self.objects, self.environment)
