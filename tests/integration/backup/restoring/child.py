"""Restores in a process of their own, which kills itself at a place that it is told.

``python -m tests.integration.backup.restoring.child FOLDER URL WHAT PLACE``: WHAT is ``test``, or a folder to
restore to; PLACE a phase, or ``up`` for when the server's process is there.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from gymops.backup import restore_test
from gymops.backup.port import Wanted
from gymops.backup.recovery_point import new_id
from gymops.backup.restore import Restores
from gymops.backup.restore_test import How
from gymops.backup.tiers import DEFAULT
from gymops.clock import SystemClock, ticks
from gymops.pg.binaries import find_binaries
from tests.integration.backup.conftest import vault_in

CLOCK = SystemClock()


def main(folder: Path, url: str, what: str, place: str) -> None:
    vault = vault_in(folder, "shop")
    restores = Restores(vault, url, [find_binaries()], folder / "home", CLOCK)

    def tell(phase: str, _: str) -> None:
        if phase == place:
            die()
        if phase == "recover" and place == "up":
            threading.Thread(target=watch, args=(folder,), daemon=True).start()

    if what == "test":
        how = How(new_id(CLOCK.now()), "shop", DEFAULT, vault.seals)
        restore_test.run(restores, Wanted(), how, CLOCK, tell)
    else:
        plan = restores.plan(Wanted(to=what))
        restored = restores.restore(plan, tell)
        restores.prove(plan, restored, tell)
        tell("keep", "")
        restores.keep(plan, restored)
    tell("end", "")


def watch(folder: Path) -> None:
    for _ in ticks(CLOCK, timeout=60, interval=0.002):
        if any(folder.rglob("postmaster.pid")):
            die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
