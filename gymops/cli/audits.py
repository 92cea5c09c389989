"""What an audit looks at: the composition root of ``audit``, for servers of ours and for RDS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from gymops.cli import vaults
from gymops.errors import ConfigError, GymopsError

if TYPE_CHECKING:
    from gymops.aws.account import Account
    from gymops.backup.audit import Audit
    from gymops.backup.evidence import Evidence, Expected
    from gymops.backup.vault import Vault
    from gymops.config import Settings


class Place(Protocol):
    """Backups that can be audited."""

    def expected(self) -> Expected:
        """What there should be."""
        ...

    def evidence(self, now: datetime) -> Evidence:
        """What there is."""
        ...

    def publish(self, found: Audit) -> None:
        """Tell whoever listens."""
        ...


def place(settings: Settings, environment: str) -> Place:
    """An environment's backups: those of a server of ours where gymops.toml names one, else those of AWS.

    Raises:
        ConfigError: neither is known.
    """
    from gymops.cli import items, managed

    if own := items.backups(settings, environment):
        return items.Items(settings, own)
    if managed.is_managed(settings, environment):
        return Managed(settings, environment)
    if environment != "local" and environment not in settings.databases:
        vaults.taker(settings, environment, vaults.vault(settings, environment))  # it says what is missing
    return Own(settings, environment)


def audit(found: Place, now: datetime, days: int | None = None) -> Audit:
    """Hold what there is to what there should be."""
    from gymops.backup.audit import audit as hold

    return hold(found.evidence(now), found.expected(), now, days)


@dataclass(frozen=True)
class Own:
    """Those of a server of ours."""

    settings: Settings
    environment: str

    def expected(self) -> Expected:
        from gymops.backup.evidence import Expected

        lock = self._vault.lock
        return Expected(vaults.tiers(self.settings, self.environment), locked=lock is not None and lock.on)

    def evidence(self, now: datetime) -> Evidence:
        from gymops.backup.gather import gather

        return gather(self._vault, now)

    @cached_property
    def _vault(self) -> Vault:
        return vaults.vault(self.settings, self.environment)

    def publish(self, found: Audit) -> None:  # noqa: ARG002
        raise ConfigError(
            f"{self.environment} is no environment of AWS: nobody listens to what would be published",
            hint=f"gymops audit {self.environment} --json, and send that on",
        )


@dataclass(frozen=True)
class Managed:
    """Those that AWS takes."""

    settings: Settings
    environment: str

    def expected(self) -> Expected:
        from gymops.backup.declared import declared
        from gymops.backup.evidence import Expected

        told = self._outputs.get("BackupTiers")
        return declared(told) if told else Expected(vaults.tiers(self.settings, self.environment))

    def evidence(self, now: datetime) -> Evidence:
        from gymops.aws.backup_history import BackupHistory
        from gymops.backup.catalogue import Seals
        from gymops.backup.gather import seals, trial
        from gymops.backup.gather_rds import gather
        from gymops.backup.restore_test import Records
        from gymops.cli import managed

        backups = managed.backups(self.settings, self.environment)
        listing = backups.listing()
        there = backups.aws.databases.find(backups.places.instance) if backups.places else None
        if there is None:
            raise GymopsError(
                f"the database of {self.environment} is gone",
                hint=f"gymops backups {self.environment} lists what it can be restored from",
            )
        tests = [trial(one) for one in Records(backups.objects, self.environment, backups.keys).read()]
        damaged = backups.known().still_damaged(self.environment, listing, now)
        found = gather(self.environment, there, listing, BackupHistory(self._account), now, tests, damaged)
        return replace(found, seals=seals(Seals(backups.objects, self.environment, backups.keys)))

    def publish(self, found: Audit) -> None:
        from gymops.scheduled import publish

        publish(found, self._account, self._outputs.get("AlertTopicArn", ""))

    @cached_property
    def _outputs(self) -> Mapping[str, str]:
        from gymops.cli import sites

        return sites.site(self.settings, self.environment, yes=False).outputs("app")

    @cached_property
    def _account(self) -> Account:
        from gymops.cli import context
        from gymops.deploy.environment import resolve

        return context.account(self.settings, resolve(self.settings, self.environment))
