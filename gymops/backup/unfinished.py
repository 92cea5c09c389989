"""Restores whose process was killed behind the move to their name: found by the next one, and ended.

Before what was proved moves to its name, a note is laid into it: what it is, signed. The note goes when the
restore is recorded; whoever writes it holds its lock until then, so that a note without one is of a process
that is gone. The number of the data directory tells whether the two had changed places by then.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gymops.backup import envelope, work
from gymops.backup.recovery_point import SealedAt
from gymops.backup.restored import NotSwitchedBack, Restoration, record
from gymops.backup.vault import Vault
from gymops.errors import Exists, GymopsError
from gymops.pg.embedded import Server
from gymops.store.records import plain, read

NAME = "restore.json"


@dataclass(frozen=True)
class Unfinished:
    """A restore that was killed; ``home`` is where it is, or what it changed places with."""

    home: Path
    done: Restoration
    seal: SealedAt | None
    data: int
    """The number of its data directory."""

    @property
    def switched(self) -> bool:
        """Whether it was put in the place of the environment's own by then."""
        return number(self.home) != self.data

    def end(self, vault: Vault, done: Restoration) -> None:
        """Record it, once."""
        with suppress(Exists):  # it was killed between its record and here
            record(vault.objects, vault.keys, done)
        (self.home / NAME).unlink(missing_ok=True)
        with suppress(OSError):
            work.clear(beside(self.home))


@contextmanager
def noted(home: Path, to: Path, vault: Vault, done: Restoration, seal: SealedAt | None) -> Iterator[None]:
    """What moves from one place to its name in this block says what it is until the block ends, well or not;
    also if this process does not, or leaves behind what neither is in its place nor was undone.
    """
    one = {"restoration": plain(done), "seal": plain(seal), "data": number(home)}
    descriptor = os.open(home / NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(envelope.close(json.dumps(one).encode(), vault.keys))
        file.flush()
        os.fsync(file.fileno())
        try:
            yield
        except NotSwitchedBack:
            raise
        except GymopsError:
            (to / NAME).unlink(missing_ok=True)
            raise
        (to / NAME).unlink()


def find(vault: Vault, homes: Iterable[Path]) -> list[Unfinished]:
    """The restores of an environment that were killed, among these places; none that still runs."""
    return [one for home in homes if (one := _read(vault, home)) is not None]


def number(home: Path) -> int:
    """Of its data directory: it stays the same wherever that is moved."""
    return Server(home, Path()).data.stat().st_ino


def beside(home: Path) -> Path:
    """Where it is restored before it moves to its name."""
    return home.parent / f".{home.name}.restoring"


def _read(vault: Vault, home: Path) -> Unfinished | None:
    try:
        with (home / NAME).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            one = json.loads(envelope.open_(file.read(), str(home / NAME), {vault.keys.public}))
            done: Restoration = read(Restoration, one["restoration"])
            found = Unfinished(home, done, read(SealedAt | None, one["seal"]), one["data"])
            return found if done.environment == vault.environment else None
    except (OSError, envelope.Forged, ValueError, TypeError, KeyError):
        return None  # somebody is at it; or it is another's, or no note


def failed(done: Restoration, error: GymopsError) -> Restoration:
    """A restore that is there, and could not be put in its place."""
    return replace(done, message=error.message)
