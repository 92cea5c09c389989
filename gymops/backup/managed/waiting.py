"""Waiting for what AWS makes: asked again and again, told how far it is, and never for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from gymops.aws.backup_jobs import Job, need
from gymops.aws.databases import Database, Databases
from gymops.aws.instances import Instances
from gymops.aws.session import AwsError
from gymops.backup.port import Tell
from gymops.clock import Clock, ticks
from gymops.errors import GymopsError

T = TypeVar("T")

_FAILED = frozenset(
    {"failed", "restore-error", "storage-full", "inaccessible-encryption-credentials"}
    | {"incompatible-network", "incompatible-option-group", "incompatible-parameters", "incompatible-restore"}
)


_LOOKS = 3
"""So often in a row an instance is not found before it is gone: RDS tells of a new one a little later."""


class Gone(GymopsError):
    """What was being restored, or restored from, was deleted meanwhile."""

    code = "gone"


class Endless(GymopsError):
    """It is not done in the time it may take; it may be later."""

    code = "endless"


class Failed(GymopsError):
    """AWS gave up on what it was making."""

    code = "restore_failed"


@dataclass(frozen=True)
class Patience:
    """How often is asked, and for how long."""

    clock: Clock
    interval: float = 15.0
    timeout: float = 4 * 3600.0
    endless: str = "run the same again: it goes on"
    """The hint where it takes longer."""

    def job(self, phase: str, what: str, look: Callable[[], Job], tell: Tell) -> str:
        """Wait for a job of AWS Backup; the ARN of what it made.

        Raises:
            AwsError: it failed.
            Endless: it does not end.
        """
        for job in self._looks(look, phase, tell):
            if job.ended:
                return need(job, what)
            tell(phase, f"{what}: {job.state.lower()} {job.percent}".rstrip())
        raise self._endless(what)

    def snapshot(self, instances: Instances, name: str, tell: Tell) -> None:
        """Wait until a snapshot can be restored.

        Raises:
            AwsError: it failed.
            Endless: it does not end.
        """
        for found in self._looks(lambda: instances.find(name), "backup", tell):
            if found.ready:
                return
            tell("backup", f"the snapshot {name}: {found.percent}%")
        raise self._endless(f"the snapshot {name}")

    def database(
        self,
        databases: Databases,
        name: str,
        phase: str,
        tell: Tell,
        set_so: Callable[[Database], bool] = lambda _: True,
    ) -> Database:
        """Wait until an instance is there, and set as it was asked for: a change begins a while after it was
        accepted.

        Raises:
            Gone: somebody deleted it.
            Failed: RDS could not make it.
        """
        missed = 0
        for found in self._looks(lambda: databases.find(name), phase, tell):
            missed = missed + 1 if found is None else 0
            if found is None and missed < _LOOKS:
                continue
            if found is None or found.status == "deleting":
                raise Gone(f"{name} was deleted meanwhile", hint="run the same again")
            if found.status in _FAILED:
                raise Failed(
                    f"{name} is {found.status}",
                    hint=f"aws rds describe-events --source-type db-instance --source-identifier {name}",
                )
            if found.status == "available" and not found.changing and set_so(found):
                return found
            tell(phase, f"{name}: {found.status}")
        raise self._endless(f"the database {name}")

    def gone(self, databases: Databases, name: str, tell: Tell) -> None:
        """Delete an instance that a restore made, and wait until it is gone.

        Raises:
            Endless: it stays.
        """
        begun = False
        for found in self._looks(lambda: databases.find(name), "drop", tell):
            if found is None:
                return
            begun = begun or databases.delete(name)
            tell("drop", f"{name}: {found.status}")
        raise self._endless(f"deleting {name}")

    def _looks(self, look: Callable[[], T], phase: str, tell: Tell) -> Iterator[T]:
        """Look again and again; what passes by itself, as throttling does, ends no waiting."""
        for _ in ticks(self.clock, timeout=self.timeout, interval=self.interval):
            try:
                found = look()
            except AwsError as error:
                if not error.passing:
                    raise
                tell(phase, error.message)
            else:
                yield found

    def _endless(self, what: str) -> Endless:
        hours = self.timeout / 3600
        return Endless(f"{what}: not done after {hours:.0f} hours", hint=self.endless)
