"""An instance that is brought back: begun under its name, waited for, and set as its source is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gymops.aws import database_settings
from gymops.aws.databases import Database, Databases
from gymops.backup.managed.tags import AT, ENVIRONMENT, FROM, ID, TEST
from gymops.backup.managed.waiting import Endless, Failed, Patience
from gymops.backup.port import RestorePlan, Tell, Wanted
from gymops.errors import GateRefused

_NOT_HERE = frozenset({"Port"})
"""What a restore is asked for, and is no failure if it comes out otherwise: the local AWS gives every server
a port of its own.
"""


@dataclass(frozen=True)
class Work:
    """One restore."""

    databases: Databases
    patience: Patience
    plan: RestorePlan
    settings: Mapping[str, Any]
    source_tags: Mapping[str, str]

    def begin_time(self, resource: str) -> None:
        """From the continuous backups of an instance, by its resource id."""
        at = self.plan.at
        if at is None:
            raise AssertionError("a plan from continuous backups has a time")
        self.databases.restore_time(self.plan.to, resource, at, self.settings, self._tags())

    def begin_snapshot(self, snapshot: str) -> None:
        """From a snapshot, its name or its ARN."""
        self.databases.restore_snapshot(self.plan.to, snapshot, self.settings, self._tags())

    def finish(self, tell: Tell) -> Database:
        """Wait, give it the settings that a restore does not take, and see that all are as wanted.

        Raises:
            Failed: some are not; it stays, to be looked at.
        """
        self.patience.database(self.databases, self.plan.to, "restore", tell)
        wanted = {name: value for name, value in self.settings.items() if name not in _NOT_HERE}
        changed = self.databases.conform(self.plan.to, wanted)
        tell("settings", ", ".join(changed) or "as those of its source")
        soon = replace(self.patience, timeout=min(self.patience.timeout, 3600.0))
        last: list[str] = []

        def as_wanted(found: Database) -> bool:
            last[:] = database_settings.differing(wanted, found.settings)
            return not last

        try:
            return soon.database(self.databases, self.plan.to, "settings", tell, as_wanted)
        except Endless:
            if not last:
                raise
            raise Failed(
                f"{self.plan.to} is not set as its source: {', '.join(last)}",
                hint=f"aws rds describe-db-instances --db-instance-identifier {self.plan.to}",
            ) from None

    def _tags(self) -> dict[str, str]:
        plan = self.plan
        return {
            **self.source_tags,
            ENVIRONMENT: plan.environment,
            ID: plan.id,
            FROM: plan.point or "time",
            AT: plan.at.astimezone(UTC).isoformat() if plan.at else "",
            TEST: str(plan.test).lower(),
        }


def same(environment: str, there: Database, wanted: Wanted) -> Wanted:
    """What is wanted, as it was begun under this name before; a latest time stays the one it was then.

    Raises:
        GateRefused: it is a database of something else.
    """
    tags = there.tags
    at = datetime.fromisoformat(tags[AT]) if tags.get(AT) else None
    point = tags.get(FROM) if tags.get(FROM) != "time" else None
    ours = tags.get(ENVIRONMENT) == environment and ID in tags and tags.get(TEST) == str(wanted.test).lower()
    whole = wanted.at.astimezone(UTC).replace(microsecond=0) if wanted.at else at
    if not ours or whole != at or wanted.point not in (None, point):
        raise GateRefused(
            f"there is a database {there.name} already, and a restore never goes over one",
            hint="choose another name with --to",
        )
    return replace(wanted, at=at, point=point, tier=None)
