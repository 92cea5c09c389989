"""What an audit looks at: the composition root of ``audit``, for servers of ours and for RDS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from gymops.cli import vaults
from gymops.errors import ConfigError

if TYPE_CHECKING:
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

        return Expected(vaults.tiers(self.settings, self.environment))

    def evidence(self, now: datetime) -> Evidence:
        from gymops.backup.gather import gather

        return gather(self.vault(), now)

    def vault(self) -> Vault:
        """Where they are."""
        return vaults.vault(self.settings, self.environment)

    def publish(self, found: Audit) -> None:  # noqa: ARG002
        raise ConfigError(
            f"{self.environment} is no environment of AWS: nobody listens to what would be published",
            hint=f"gymops audit {self.environment} --json, and send that on",
        )
