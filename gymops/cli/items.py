"""The composition root of backups of tables: an environment that is deployed, whose data are in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gymops.cli import context, managed, output, restoring, vaults
from gymops.clock import SystemClock
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.backup.audit import Audit
    from gymops.backup.evidence import Evidence, Expected
    from gymops.backup.items.backups import ItemBackups
    from gymops.backup.items.port import Source
    from gymops.backup.port import Point, Restored, Wanted
    from gymops.backup.restore_test import Tested
    from gymops.config import Settings
    from gymops.deploy.verbs.site import Site

_PACE_HERE, _PACE = 0.1, 5.0
"""Seconds between two looks at what AWS makes."""
_SKEW = timedelta(seconds=5)
"""So much may the clock here be beside DynamoDB's."""
_APART = 65.0
"""Seconds: what DynamoDB was asked for a minute ago and what it backs up may differ."""
_KINDS = {"AWS::DynamoDB::Table": "table", "AWS::S3::Bucket": "bucket"}
_DRILLS = ("changed-row", "missing-event")
_NOT_DATA = ("ReleaseBucketName", "StaticBucketName")
"""Outputs: the buckets of what a release brings, which a release brings again."""
_BUILDS = "pipeline"
"""The stack that keeps the sources it builds from, and nothing that a repository does not have."""


def backups(settings: Settings, environment: str) -> ItemBackups | None:
    """The backups of an environment's tables; None: it has a database, or no table, or is not deployed.

    Raises:
        LocalError, AwsError: it is not reached.
    """
    from gymops.aws.backup_jobs import BackupJobs
    from gymops.aws.blobs import S3Blobs
    from gymops.aws.buckets import AppBuckets
    from gymops.aws.object_lock import ObjectLock
    from gymops.aws.s3 import S3Objects
    from gymops.aws.tables import Tables
    from gymops.aws.vaults import Vaults
    from gymops.backup.items.backups import ItemBackups
    from gymops.backup.items.buckets import BucketHolder
    from gymops.backup.items.port import Source
    from gymops.backup.items.record import Sets
    from gymops.backup.items.tables import OnDemand, TableHolder
    from gymops.backup.items.times import Times
    from gymops.backup.items.vaulted import Vaulted
    from gymops.backup.managed.waiting import Patience
    from gymops.backup.restore_test import Records
    from gymops.backup.vault import Vault
    from gymops.cli import sites
    from gymops.deploy.environment import resolve
    from gymops.store.below import Below

    if not managed.is_managed(settings, environment):
        return None
    deployment = resolve(settings, environment)
    account = context.account(settings, deployment)
    site = sites.site(settings, environment, yes=False)
    bucket, outputs = site.bucket(), site.outputs("app")
    if bucket is None or "DatabaseIdentifier" in outputs or "DatabaseSecretName" in outputs:
        return None
    sources, clock, s3 = found(site), SystemClock(), account.client("s3")
    store = Below(S3Objects(s3, bucket, clock, lock=ObjectLock(s3, bucket, clock, "backups/")), "backups/")
    # Buckets alone, as of logs, are no data of which anybody said that they are kept.
    ours = "BackupVaultName" in outputs or any(one.kind == "table" for one in sources)
    if not (sources and ours) and not store.keys(f"sets/{environment}/"):
        return None
    by = vaults.wrapping(settings, environment, account) or managed.of_the_stacks(
        account, site, store, environment
    )
    keys = vaults.keys(settings, environment, store, by)
    blobs = S3Blobs(s3, bucket, "backups/data/", clock)
    vault = Vault(environment, store, blobs, keys, settings.home / "work", f"s3://{bucket}/backups")
    records = Records(store, environment, keys)
    if not sources:  # its stacks are gone: what was written down is believed
        last = Sets(store, environment, keys).all()[-1:]
        sources = [Source(part.kind, part.name) for one in last for part in one.parts]
    later = f"it may end yet: gymops backups {environment}; run the same again, and it begins anew"
    patience = Patience(clock, interval=_PACE_HERE if account.local else _PACE, endless=later)
    tables, vaulted = Tables(account), None
    if (name := outputs.get("BackupVaultName")) and (role := outputs.get("BackupRoleArn")):
        jobs, points = BackupJobs(account), Vaults(account)
        vaulted = Vaulted(jobs, points, patience, name, role)
    demand, holder = OnDemand(tables, patience), TableHolder(tables)
    skew = timedelta() if account.local else _SKEW  # of one machine there is one clock
    names = [one.name for one in sources if one.kind == "table"]
    return ItemBackups(
        environment=environment,
        prefix=deployment.prefix,
        sources=sources,
        holders={"table": holder, "bucket": BucketHolder(AppBuckets(account))},
        takes={"table": vaulted, "bucket": vaulted} if vaulted else {"table": demand},
        keepers=(demand, vaulted) if vaulted else (demand,),
        vault=vault,
        region=account.region,
        patience=patience,
        tiers=tiers(settings, environment, outputs.get("BackupTiers")).tiers,
        times=Times(environment, names, tables, holder, vault, patience, skew),
        verified=lambda: {
            one.recovery_point: one.ended for one in records.read() if one.passed and one.recovery_point
        },
        lasted=records.lasted,
        apart=_APART if names and not account.local else 0.0,
    )


def found(site: Site) -> list[Source]:
    """The tables and buckets of an environment's stacks; not those of what a release brings again."""
    from gymops.backup.items.port import Source

    brought = {site.outputs(stack).get(name) for stack in ("base", "app") for name in _NOT_DATA}
    sources = []
    for stack in site.deployment.stacks():
        reader, name = site.reader(site.deployment.region_of(stack)), site.deployment.stack_name(stack)
        if stack.scope == "account" or stack.name == _BUILDS or reader.stack(name) is None:
            continue
        live = [one for one in reader.resources(name) if one.live and one.kind in _KINDS]
        sources += [Source(_KINDS[one.kind], one.physical) for one in live if one.physical not in brought]
    return sorted(sources, key=lambda one: (one.kind != "table", one.name))


def tiers(settings: Settings, environment: str, declared: str | None) -> Expected:
    """What there should be: as gymops.toml says, or the template, or else a backup each day."""
    from gymops.backup import declared as told
    from gymops.backup.evidence import Expected
    from gymops.backup.schedule import DAY, Schedule
    from gymops.backup.tiers import Tier

    if vaults.backup(settings, environment).tiers:
        return Expected(tuple(vaults.tiers(settings, environment)))
    if declared:
        return told.declared(declared)
    daily = Tier("daily", Schedule(3, 0), 30 * DAY, rpo=DAY, rto=timedelta(minutes=30))
    return Expected((daily,))


def take(own: ItemBackups, tier: str | None, *, as_json: bool) -> None:
    """Back up, and show it."""
    from gymops.backup.tiers import named

    chosen = named(own.tiers, tier)
    point = own.take(chosen.name, restoring.Phases())
    made = next(one for one in own.sets.all() if one.id == point.id)
    if as_json:
        parts = [
            {"kind": one.kind, "name": one.name, "backup": one.backup, "items": one.items,
             "moving": one.moving, "digest": one.digest}
            for one in made.parts
        ]  # fmt: skip
        output.document(
            {
                "environment": own.environment, "tier": chosen.name,
                "recovery_point": {**_without_seal(point), "parts": parts}, "seal": None,
                "restorable_until": None, "pruned": None, "notes": [], "damaged": None,
            }
        )  # fmt: skip
        return
    until = f", kept until {point.keep_until:%Y-%m-%d}" if point.keep_until else ""
    output.text(f"{point.kind} {point.id} ({point.tier}) in {point.where}{until}")
    for one in made.parts:
        moving = f", and {one.moving:,} that were written meanwhile" if one.moving else ""
        output.text(f"{one.kind:<9} {one.name}: {one.items:,} items{moving}, digest {one.digest}")
    output.note(f"next: gymops restore-test {own.environment}")


def _without_seal(point: Point) -> dict[str, Any]:
    from gymops.store.records import plain

    document = plain(point)
    seal = document.pop("seal")
    return {**document, "items": seal["events"], "digest": seal["head"]}


def tests(own: ItemBackups, wanted: Sequence[Wanted] | None, drill: str | None) -> Iterator[Tested]:
    """Restore-tests, recorded; of nothing in particular: each tier's newest point."""
    from gymops.backup.catalogue import Seals
    from gymops.backup.port import Wanted
    from gymops.backup.recovery_point import new_id
    from gymops.backup.restore_test import How, Records, run
    from gymops.backup.tiers import CONTINUOUS

    store, keys = own.vault.objects, own.vault.keys
    if drill not in (None, *_DRILLS):
        raise ConfigError(
            f"--drill {drill} is nothing that a table can have, or that a test could tell",
            hint=f"one of {', '.join(_DRILLS)}",
        )

    def spoiled(restored: Restored) -> str:
        return own.spoil(restored, missing=drill == "missing-event")

    if wanted is None:
        taken = dict.fromkeys(one.tier for one in own.listing().points if one.ready and one.seal)
        promised = [one.name for one in own.tiers if one.schedule is None]
        wanted = [Wanted(tier=name) for name in [*taken, *promised]] or [Wanted()]
    records = Records(store, own.environment, keys)
    for one in wanted:
        clock = SystemClock()
        if one.tier == CONTINUOUS and own.times.window():  # what is asked for after that is timed
            own.times.witness(restoring.Phases())
        how = How(new_id(clock.now()), own.environment, own.tiers, Seals(store, own.environment, keys),
                  spoil=spoiled if drill else None)  # fmt: skip
        tested = run(own, _tiered(own, one), how, clock, restoring.Phases())
        records.add(tested)
        yield tested


def _tiered(own: ItemBackups, wanted: Wanted) -> Wanted:
    """With the tier whose target it is held to: that of the point, or of the newest."""
    found = [
        one
        for one in own.listing().points
        if one.ready and one.seal and wanted.point in (None, one.id) and wanted.tier in (None, one.tier)
    ]
    return replace(wanted, tier=found[-1].tier) if found else wanted


def restore(own: ItemBackups, wanted: Wanted, *, plan_only: bool, as_json: bool) -> int:
    """Restore beside what is there, under new names, and prove it; the exit code."""
    from gymops.backup.evidence import Result
    from gymops.backup.restored import record
    from gymops.cli.restore_managed import restored
    from gymops.store.records import plain

    plan, note = own.plan(wanted), output.note
    note(f"restore  {plan.environment}, as it was at {plan.lost_since:%Y-%m-%d %H:%M:%S.%f} UTC")
    note(f"from     {plan.point or 'point-in-time recovery'}")
    for name, to in plan.settings.items():
        note(f"as       {to}: {name}")
    if plan.seal:
        note(f"proof    {plan.seal.events:,} items that were the same before and after it")
    else:
        note("proof    none: nothing was recorded around that moment")
    note("lost     what was written since")
    left = [one.name for one in own.sources if one.name not in plan.settings]
    if plan.at and left:
        note(f"not in it {', '.join(left)}: of a bucket list its versions, or restore a backup: --from ID")
    if plan_only:
        if as_json:
            output.document(plain(plan))
        return 0
    done = restored(own, plan)
    record(own.vault.objects, own.vault.keys, done)
    if as_json:
        document = plain(done)
        items = {"expected": document.pop("expected"), "restored": document.pop("restored")}
        output.document({**document, "items": items, "url": None})
    else:
        seconds = (done.ended - done.began).total_seconds()
        output.text(f"restored {own.environment} as it was at {done.restored_to:%Y-%m-%d %H:%M:%S} UTC, in"
                    f" {seconds:.1f} s, to {', '.join(plan.settings.values())}")  # fmt: skip
        if done.result is Result.PASSED:
            output.text(f"proved   {done.restored:,} items, digest {done.digest}")
        else:
            output.text(f"{done.result.value.upper():<8} {done.message}")
    return 0 if done.result is Result.PASSED else 1


@dataclass(frozen=True)
class Items:
    """What an audit looks at: see ``audits.Place``."""

    settings: Settings
    own: ItemBackups

    def expected(self) -> Expected:
        """What there should be."""
        return tiers(self.settings, self.own.environment, self._outputs.get("BackupTiers"))

    def evidence(self, now: datetime) -> Evidence:
        """What there is."""
        from gymops.backup.gather import trial
        from gymops.backup.items.gather import gather
        from gymops.backup.restore_test import Records

        vault = self.own.vault
        tests = [trial(one) for one in Records(vault.objects, self.own.environment, vault.keys).read()]
        return gather(self.own, now, tests)

    def publish(self, found: Audit) -> None:
        """Tell CloudWatch and the alert topic."""
        from gymops.deploy.environment import resolve
        from gymops.scheduled import publish

        account = context.account(self.settings, resolve(self.settings, self.own.environment))
        publish(found, account, self._outputs.get("AlertTopicArn", ""))

    @property
    def _outputs(self) -> Mapping[str, str]:
        return self._site.outputs("app")

    @cached_property
    def _site(self) -> Site:
        from gymops.cli import sites

        return sites.site(self.settings, self.own.environment, yes=False)
