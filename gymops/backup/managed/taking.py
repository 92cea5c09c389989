"""What AWS is asked to make: backups, and copies of them in another region and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gymops import __version__
from gymops.aws.backup_jobs import BackupJobs
from gymops.aws.databases import Databases
from gymops.aws.instances import Instances
from gymops.aws.vaults import Vaults
from gymops.backup.managed import listing as listed
from gymops.backup.managed.inside import Functions
from gymops.backup.managed.source import Source
from gymops.backup.managed.waiting import Gone, Patience
from gymops.backup.port import Tell
from gymops.backup.recovery_point import Kind, RecoveryPoint, SealedAt
from gymops.errors import GymopsError


@dataclass(frozen=True)
class Kept:
    """A tier, as far as AWS has to know it."""

    days: int
    copied: bool = False
    """Whether it is copied to the vault in another region."""


@dataclass(frozen=True)
class Aws:
    """The clients of an account: those of the environment's region, and of the one with the copies."""

    databases: Databases
    instances: Instances
    jobs: BackupJobs
    vaults: Vaults
    functions: Functions
    elsewhere: Callable[[str], tuple[BackupJobs, Vaults]]
    """By region."""


@dataclass(frozen=True)
class Taking:
    """One backup, or the way back of one."""

    environment: str
    prefix: str
    aws: Aws
    patience: Patience
    source: Source
    tell: Tell

    def take(self, tier: str, kept: Kept, identifier: str) -> list[tuple[str, Kind]]:
        """By AWS Backup where there is a vault; the ids of what was made, the backup before its copy.

        Raises:
            AwsError: it failed.
        """
        places = self.source.places
        if not places.vault or not places.role:
            return [self._by_rds(tier, kept, identifier)]
        jobs, what = self.aws.jobs, f"a backup of {places.instance}"
        self.tell("backup", f"by AWS Backup into {places.vault}")
        job = jobs.back_up(
            self.source.arn, places.vault, places.role, identifier, days=kept.days, tags={listed.TIER: tier}
        )
        arn = self.patience.job("backup", what, lambda: jobs.backup(job), self.tell)
        made = [(listed.point_id(arn, jobs.region), Kind.VAULT)]
        if kept.copied and places.copies:
            made.append(
                (self._copied(arn, places.vault, places.copies, places.role, identifier, kept), Kind.COPY)
            )
        return made

    def recorded(
        self, name: str, kind: Kind, tier: str, began: datetime, kept: Kept, seal: SealedAt | None,
        damaged: str | None,
    ) -> RecoveryPoint:  # fmt: skip
        """The record of one that was made; ``damaged``: how the log is."""
        return RecoveryPoint(
            id=name, environment=self.environment, kind=kind, tier=tier, began=began,
            ended=self.patience.clock.now(), server=self.source.places.instance, files=(), recipient="",
            gymops=__version__, seal=seal, keep_until=began + timedelta(days=kept.days), damaged=damaged,
        )  # fmt: skip

    def snapshot(self, point: str) -> str:
        """What RDS restores a point by; one that is elsewhere is copied back first.

        Raises:
            GymopsError: there is nowhere to copy it to, or it is gone.
        """
        away, _, name = point.rpartition("/")
        region = self.aws.databases.region
        if away:
            return self._back(point, away, self._arn(away, name))
        return self._arn(region, name) if name.startswith(("awsbackup:", "rds:")) else name

    def _by_rds(self, tier: str, kept: Kept, identifier: str) -> tuple[str, Kind]:
        """A snapshot: the environment has no vault."""
        name = f"{self.prefix[:45]}-{tier}-{identifier[-8:]}".lower()
        until = self.patience.clock.now() + timedelta(days=kept.days)
        self.tell("backup", f"the snapshot {name}")
        tags = {
            listed.TIER: tier,
            listed.KEEP_UNTIL: until.isoformat(timespec="seconds"),
            listed.ENVIRONMENT: self.environment,
        }
        self.aws.instances.snapshot(self.source.places.instance, name, tags)
        self.patience.snapshot(self.aws.instances, name, self.tell)
        return name, Kind.SNAPSHOT

    def _copied(self, arn: str, vault: str, to: str, role: str, token: str, kept: Kept) -> str:
        region, jobs = to.split(":")[3], self.aws.jobs
        self.tell("copy", f"to {region}")
        job = jobs.copy(arn, vault, to, role, token, days=kept.days)
        found = self.patience.job("copy", f"a copy to {region}", lambda: jobs.copying(job), self.tell)
        return listed.point_id(found, region, away=True)

    def _back(self, point: str, away: str, arn: str) -> str:
        places, region = self.source.places, self.aws.databases.region
        if not places.vault or not places.role:
            raise GymopsError(
                f"{point} is in {away}, and {self.environment} has no vault to copy it back to",
                hint="deploy the stacks with AWS Backup, then run the same again",
            )
        there, vaults = self.aws.elsewhere(away)
        if not any(one.arn == arn for one in vaults.points(places.copies_vault, self.source.arn)):
            raise Gone(f"{point} was deleted meanwhile", hint=f"gymops backups {self.environment}")
        self.tell("copy", f"{point} back to {region}")
        to, token = self.aws.vaults.arn(places.vault), f"back-{arn[-36:]}"
        job = there.copy(arn, places.copies_vault, to, places.role, token, days=COPY_DAYS)
        what = f"{point} back to {region}"
        return self.patience.job("copy", what, lambda: there.copying(job), self.tell)

    def _arn(self, region: str, name: str) -> str:
        _, partition, _, _, account, *_ = self.source.arn.split(":")
        return f"arn:{partition}:rds:{region}:{account}:snapshot:{name}"


COPY_DAYS = 7
"""How long a recovery point is kept that was copied back for a restore."""
COPIED_BACK = "copied-back"
"""Of which tier it is: of none."""
