"""What restores an environment's backups, and what of it is shown: for ``restore`` and ``restore-test``."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from gymops.cli import context, output
from gymops.clock import SystemClock
from gymops.config import Settings
from gymops.errors import ConfigError, GymopsError

if TYPE_CHECKING:
    from pathlib import Path

    from gymops.backup.port import RestorePlan
    from gymops.backup.restore import Restores
    from gymops.backup.restored import Restoration
    from gymops.backup.vault import Vault
    from gymops.pg.embedded import Server


def restores(settings: Settings, environment: str, vault: Vault) -> Restores:
    """The restores of an environment's own server; nothing is started, and nobody is asked.

    Raises:
        ConfigError: gymops.toml names no database of it.
        ServerError: there are no programs of PostgreSQL here.
    """
    from gymops.backup.restore import Restores
    from gymops.backup.restore_test import Records

    lasted = Records(vault.objects, environment, vault.keys).lasted
    home = settings.home.absolute()
    return Restores(vault, url(settings, environment), programs(settings), home, SystemClock(), lasted)


def url(settings: Settings, environment: str) -> str:
    """Where its database is; the embedded one is not started for it."""
    if environment == "local" and "local" not in settings.databases:
        return server(settings).url()
    if environment not in settings.databases:
        raise ConfigError(
            f"{environment}: gymops.toml names no database of it",
            hint=f"[environments.{environment}] database = ...",
        )
    given = settings.databases[environment]
    return context.target_url(settings, f"env:{environment}" if given.startswith("env:") else given)


def server(settings: Settings) -> Server:
    """The embedded server of this folder."""
    from gymops.pg import embedded

    return embedded.open_server(settings.home, settings.postgres_bin)


def programs(settings: Settings) -> list[Path]:
    """All folders of PostgreSQL's programs here: a backup is restored by those of its own version."""
    from gymops.pg.binaries import find_binaries, find_system

    found = [find_binaries(settings.postgres_bin), find_binaries(None), find_system()]
    return list(dict.fromkeys(one for one in found if one is not None))


def source(settings: Settings, environment: str) -> str | None:
    """The URL of the server that is backed up, if it runs; the embedded one is not started for it."""
    from gymops.pg import embedded

    own = environment == "local" and "local" not in settings.databases
    if own and not embedded.status(server(settings)).running:
        return None
    return url(settings, environment)


def receive(settings: Settings, environment: str, vault: Vault) -> None:
    """Receive the WAL up to now, so that also this moment can be restored; where the server does not answer,
    what was received is all there is, and that is said.
    """
    from gymops.backup import catching_up

    address = source(settings, environment)
    if address is None:
        output.note("the server does not run: what was received of it before is all there is")
        return
    try:
        from gymops.pg.connection import connect

        with closing(connect(address, autocommit=True)) as connection:
            catching_up.catch_up(connection, address, programs(settings), vault)
    except GymopsError as error:
        output.note(f"what came since the last backup is not there: {error.message}")


class Phases:
    """Names each phase on stderr as it begins, and how far it is on a terminal."""

    def __init__(self) -> None:
        self._phase = ""

    def __call__(self, phase: str, how_far: str) -> None:
        if phase != self._phase:
            output.note(f"{phase:<8} {how_far} ...")
        self._phase = phase


def show_plan(plan: RestorePlan) -> None:
    """The plan, on stderr: what would be done is no result."""
    note = output.note
    note(f"restore  {plan.environment}, as it was at {plan.lost_since:%Y-%m-%d %H:%M:%S.%f} UTC")
    point = plan.point or "continuous backups"
    note(f"from     {point}: {plan.settings.get('recovery point', plan.source)}")
    if wal := plan.settings.get("wal"):
        note(f"wal      {wal}")
    if plan.seal:
        sealed = f"{plan.seal.taken:%Y-%m-%d %H:%M:%S} UTC"
        note(f"proof    {plan.seal.events:,} events that were sealed at {sealed} (seal {plan.seal.number})")
    else:
        note("proof    none: nothing was sealed by then")
    lost = f"; {plan.lost_events:,} events that were sealed later" if plan.lost_events else ""
    note(f"lost     what was committed since{lost}")
    if not plan.test:
        note(f"to       {plan.to}")
    if plan.last_seconds:
        note(f"takes    about {plan.last_seconds:.0f} s, as the last time")


def show(done: Restoration) -> None:
    """What came of a restore."""
    seconds = (done.ended - done.began).total_seconds()
    moment = f"{done.restored_to:%Y-%m-%d %H:%M:%S}"
    output.text(f"restored {done.environment} as it was at {moment} UTC, in {seconds:.1f} s, to {done.to}")
    if done.result.value == "passed":
        output.text(f"proved   {done.restored:,} events, digest {done.digest}")
    else:
        output.text(f"{done.result.value.upper():<8} {done.message}")
