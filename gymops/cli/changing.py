"""What changes places in ``restore --switch``: two data directories of the embedded server, or two databases
of the server that a URL names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gymops.cli import output, restoring
from gymops.clock import SystemClock
from gymops.errors import GymopsError

if TYPE_CHECKING:
    from gymops.backup.port import RestorePlan, Tell
    from gymops.backup.recovery_point import SealedAt
    from gymops.backup.renaming import Renaming
    from gymops.backup.restore import Restores
    from gymops.backup.restored import Restoration
    from gymops.backup.unfinished import Unfinished
    from gymops.backup.vault import Vault
    from gymops.config import Settings
    from gymops.pg.embedded import Server


@dataclass(frozen=True)
class Changed:
    """They changed places."""

    seal: int
    """The environment goes on with it."""
    url: str
    """How to connect to it."""
    kept: str | None
    """What the database before is called now; None: it is where the restored one was."""


class Places(Protocol):
    """An environment's own database, and how another takes its place."""

    def refuse(self, plan: RestorePlan) -> str:
        """See beforehand that it can; what would be done, in words."""

    def begun(self, one: Unfinished) -> bool:
        """Whether they had changed places when it was killed."""

    def leave(self, one: Unfinished) -> None:
        """Nothing takes its place: clear what was made ready for it."""

    def change(
        self, restored: Server, seal: SealedAt, done: Restoration, tell: Tell, *, begun: bool
    ) -> Changed:
        """Let them change places, or end what was begun."""


def places(settings: Settings, vault: Vault, restores: Restores) -> Places:
    """Those of the environment whose backups these are.

    Raises:
        ConfigError: gymops.toml names no database of it.
    """
    environment = vault.environment
    if environment == "local" and "local" not in settings.databases:
        return _Embedded(restoring.server(settings), vault)
    from gymops.backup.renaming import Renaming

    return _Named(Renaming(restoring.url(settings, environment), vault, SystemClock()), restores)


@dataclass(frozen=True)
class _Embedded:
    server: Server
    vault: Vault

    def refuse(self, plan: RestorePlan) -> str:
        from gymops.backup.switch import refuse

        refuse(self.server, Path(plan.to))
        return f"stop the server of {plan.environment} and put this in its place; it goes to {plan.to}"

    def begun(self, one: Unfinished) -> bool:
        return one.switched

    def leave(self, one: Unfinished) -> None:
        pass

    def change(
        self, restored: Server, seal: SealedAt, done: Restoration, tell: Tell, *, begun: bool
    ) -> Changed:
        from gymops.backup import switch

        over = switch.go_on if begun else switch.switch
        found = over(self.server, restored, seal, self.vault.seals, done.id, SystemClock(), tell)
        return Changed(found.number, self.server.url(), None)


@dataclass(frozen=True)
class _Named:
    renaming: Renaming
    restores: Restores

    def refuse(self, plan: RestorePlan) -> str:
        from gymops.pg.connection import redact

        name = self.renaming.name
        self.renaming.refuse()
        return (
            f"load this into {redact(self.renaming.url)}, beside {name}, end the sessions there and let it be"
            f" {name}; the one before is called {self.renaming.kept(plan.id)} then"
        )

    def begun(self, one: Unfinished) -> bool:
        return self.renaming.begun(one.done.id)

    def leave(self, one: Unfinished) -> None:
        self.renaming.clear(one.done.id)

    def change(
        self, restored: Server, seal: SealedAt, done: Restoration, tell: Tell, *, begun: bool
    ) -> Changed:
        from dataclasses import replace

        from gymops.backup import isolated
        from gymops.pg import embedded
        from gymops.pg.connection import redact

        clock = SystemClock()
        if not begun and not embedded.status(restored).running:
            isolated.again(restored, clock)
        over = replace(self.renaming, tell=tell)
        address = self.restores.address(restored)
        found = over.switch(restored.binaries, address, done.recovery_point or "", seal, done.id)
        try:
            embedded.stop(restored, clock=clock)
        except GymopsError as error:
            output.note(f"{restored.home} still runs, and nobody needs it: {error.message}")
        return Changed(found.number, redact(over.url), over.kept(done.id))
