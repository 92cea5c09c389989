"""Pointing an environment at a restored database: proved in its place, sealed as another history, undone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gymops.backup import restore_test, switch
from gymops.backup.audit import audit
from gymops.backup.evidence import Expected
from gymops.backup.findings import Kind
from gymops.backup.gather import gather
from gymops.backup.port import Restored, RestorePlan, Wanted
from gymops.backup.restore import Restores
from gymops.backup.restore_test import How
from gymops.backup.restored import SwitchedBack
from gymops.backup.tiers import DEFAULT
from gymops.backup.wal import WalGap
from gymops.clock import SystemClock
from gymops.errors import GateRefused
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.seal import SealError, lineage
from gymops.pg import embedded, schema
from gymops.pg.embedded import Server
from tests.integration.backup.conftest import Backed, vault_in
from tests.integration.backup.restoring.conftest import moment, take

CLOCK = SystemClock()
pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Damaged:
    """An environment whose events were deleted at a known time."""

    backed: Backed
    server: Server
    before: datetime

    def restores(self) -> Restores:
        home = self.backed.folder / "home"
        return Restores(self.backed.vault, self.server.url(), [self.server.binaries], home, CLOCK)

    def restored(self, restores: Restores, at: datetime) -> tuple[RestorePlan, Restored]:
        plan = restores.plan(Wanted(at=at))
        restored = restores.restore(plan)
        assert restores.prove(plan, restored).passed
        return plan, restores.keep(plan, restored)

    def switch(self) -> Any:
        restores = self.restores()
        plan, kept = self.restored(restores, self.before)
        seal = restores.seal(kept)
        assert seal
        return switch.switch(
            self.server, restores.server(kept), seal, self.backed.vault.seals, plan.id, CLOCK
        )

    def count(self) -> int:
        (found,) = self.backed.sql("SELECT count(*) FROM events")
        return int(found)


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[Damaged]:
    home = tmp_path / "home"
    server = embedded.open_server(home)
    embedded.start(server, clock=CLOCK, settings={"fsync": "off"}, tied_to_parent=True)
    try:
        schema.upgrade(server.url(), clock=CLOCK)
        backed = Backed(server.url(), server.binaries, vault_in(tmp_path, "local"), tmp_path)
        backed.append("ann", 1500)
        take(backed, "daily")
        backed.append("ann", 100)
        take(backed, "continuous")
        backed.append("bob", 7)  # not sealed yet
        before = moment(backed)
        backed.append("ann", 20)
        take(backed, "continuous")  # sealed, and to be given up
        backed.sql("ALTER TABLE events DISABLE TRIGGER events_append_only")
        backed.sql("DELETE FROM events WHERE position > 500")
        yield Damaged(backed, server, before)
    finally:
        embedded.stop(server, clock=CLOCK, timeout=1)


def test_it_goes_on_as_it_was_and_what_came_later_is_another_history(damaged: Damaged) -> None:
    seals, backed = damaged.backed.vault.seals, damaged.backed
    given_up = seals.read()[-1]
    seal = damaged.switch()
    assert damaged.count() == 1607
    # The new seal follows in the row, stands on the one that was proved, and holds what came after that.
    assert (seal.number, seal.previous) == (given_up.number + 1, given_up.digest)
    assert seal.goes_on
    assert seal.goes_on.number == given_up.number - 1
    assert (seal.events, set(seal.streams)) == (1607, {"bob"})
    assert [one.number for one in lineage(seals.read())] == [1, 2, 4]
    assert seals.sealed().events == 1607
    # What ran before is kept.
    (aside,) = (backed.folder / "home" / "restored").iterdir()
    old = Server(aside, damaged.server.binaries)
    embedded.start(old, clock=CLOCK, tied_to_parent=True)
    with closing(PostgresLog(old.url())) as log:
        assert log.counts() == {"ann": 500, "bob": 7}
    embedded.stop(old, clock=CLOCK)
    # Backups go on with a new base, and pass.
    with pytest.raises(WalGap, match="another timeline"):
        take(backed, "continuous")
    (first, *_) = audit(gather(backed.vault, CLOCK.now()), Expected(), CLOCK.now()).findings
    assert (first.kind, first.when, first.next) == (Kind.NO_BASE, seal.taken, "gymops backup local")
    backed.append("cy", 3)
    take(backed, "daily")
    found = audit(gather(backed.vault, CLOCK.now()), Expected(), CLOCK.now()).findings
    assert Kind.NO_BASE not in {one.kind for one in found}
    backed.append("cy", 3)
    take(backed, "continuous")
    restores, how = damaged.restores(), How("x", "local", DEFAULT, seals)
    tested = restore_test.run(restores, Wanted(), how, CLOCK)
    assert (tested.result, tested.events.restored) == ("passed", 1613)
    # And the time before the damage is still what it was: held to its own history's seals.
    plan, kept = damaged.restored(restores, damaged.before)
    assert plan.seal
    assert plan.seal.number == 2
    embedded.stop(restores.server(kept), clock=CLOCK)


def test_a_seal_cannot_pretend_to_go_on_from_another(damaged: Damaged) -> None:
    from dataclasses import replace

    seals = damaged.backed.vault.seals
    seal = damaged.switch()
    row = [*seals.read()][:-1]
    for number, digest in ((1, seal.goes_on.digest), (2, "ab"), (9, seal.goes_on.digest)):
        forged = replace(seal, goes_on=replace(seal.goes_on, number=number, digest=digest))
        from gymops.eventlog.seal import sealed

        with pytest.raises(SealError):
            sealed([*row, forged])
    assert sealed([*row, seal]).events == 1607


def test_what_does_not_start_in_its_place_is_put_back(
    damaged: Damaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gymops.errors import ServerError

    real = embedded.start

    def fails(server: Server, **given: Any) -> bool:
        monkeypatch.setattr(embedded, "start", real)
        raise ServerError("it does not start")

    monkeypatch.setattr(embedded, "start", fails)
    with pytest.raises(SwitchedBack, match="it does not start") as caught:
        damaged.switch()
    assert caught.value.exit_code == 5
    assert damaged.count() == 507
    assert len(damaged.backed.vault.seals.read()) == 3
    assert damaged.switch().number == 4


def test_another_file_system_is_refused_beforehand(damaged: Damaged) -> None:
    if os.stat("/dev/shm").st_dev == os.stat("/var/tmp").st_dev:  # noqa: PTH116, S108
        pytest.skip("there is only one file system here")
    other = "/var/tmp" if str(damaged.server.home).startswith("/dev/shm") else "/dev/shm"  # noqa: S108
    with pytest.raises(GateRefused, match="another file system"):
        switch.refuse(damaged.server, Path(other) / "new")
    switch.refuse(damaged.server, damaged.server.home / "restored" / "new")


_CHILD = """
import os, signal, sys
from pathlib import Path
from gymops.backup import isolated, switch
from gymops.pg import embedded
from gymops.pg.embedded import Server
from gymops.clock import SystemClock
from gymops.backup.recovery_point import sealed_at
from tests.integration.backup.conftest import vault_in

folder, kept, place = sys.argv[1:]
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
def dies(module, name, after):
    real = getattr(module, name)
    def call(*args, **given):
        if after: real(*args, **given)
        die()
    setattr(module, name, call)
name, _, when = place.partition(" ")
dies({"stop": embedded, "start": embedded, "give_back": isolated}.get(name, switch), name, when == "after")
folder = Path(folder)
vault = vault_in(folder, "local")
seal = sealed_at(vault.seals.read()[1])
server = embedded.open_server(folder / "home")
switch.switch(server, Server(Path(kept), server.binaries), seal, vault.seals, "x", SystemClock())
die()
"""


@pytest.mark.parametrize(
    "place",
    ["stop before", "stop after", "give_back after", "exchange before", "exchange after", "start after",
     "_sealed_in_place before", "_sealed_in_place after"],
)  # fmt: skip
def test_killed_anywhere_there_is_one_whole_database_and_the_same_command_ends_it(
    place: str, damaged: Damaged
) -> None:
    restores = damaged.restores()
    _, kept = damaged.restored(restores, damaged.before)
    embedded.stop(damaged.server, clock=CLOCK)
    embedded.start(damaged.server, clock=CLOCK)  # as `gymops db start` does: it outlives its command
    command = [sys.executable, "-c", _CHILD, str(damaged.backed.folder), kept.name, place]
    killed = subprocess.run(
        command, cwd=Path(__file__).parents[4], capture_output=True, text=True, timeout=120, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    embedded.stop(restores.server(kept), clock=CLOCK)
    embedded.start(damaged.server, clock=CLOCK)
    assert damaged.count() in {507, 1607}
    assert damaged.switch().events == 1607
    assert damaged.count() == 1607
    assert damaged.backed.vault.seals.sealed().events == 1607
