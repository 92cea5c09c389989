"""Pointing an environment's embedded server at a restored one: put in its place, proved there, or put back.

The two data directories change places in one step, so that there is never none, and neither is deleted. The
next seal says from which one the restored database goes on: those in between stay in the row, and are of a
history that was given up.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from errno import EINVAL, ENOSYS, ENOTSUP, EXDEV
from functools import partial
from pathlib import Path

from gymops.backup import isolated
from gymops.backup.catalogue import Seals
from gymops.backup.port import Tell, untold
from gymops.backup.recovery_point import SealedAt
from gymops.backup.restore import has_events, hold
from gymops.backup.restored import NotSwitchedBack, SwitchedBack
from gymops.clock import Clock
from gymops.errors import GateRefused, GymopsError
from gymops.eventlog import sealing
from gymops.eventlog.digest import Rejected
from gymops.eventlog.postgres import PostgresLog, snapshot
from gymops.eventlog.seal import Grown, Seal, Sealed
from gymops.pg import embedded
from gymops.pg.connection import connect_plain
from gymops.pg.embedded import Server

_AT_FDCWD = -100
_SWAP = 2
"""RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS."""


def refuse(server: Server, to: Path) -> None:
    """See beforehand that the two can change places.

    Raises:
        GateRefused: they lie on different file systems, or there is nothing to change with.
    """
    if not server.data.is_dir():
        raise GateRefused(f"there is no server in {server.home}", hint="gymops db start")
    parent = next(one for one in to.absolute().parents if one.exists())
    if parent.stat().st_dev != server.data.stat().st_dev:
        raise GateRefused(
            f"{to} lies on another file system than {server.data}",
            hint="leave --to out, and it is restored beside the environment",
        )


def switch(
    server: Server, restored: Server, seal: SealedAt, seals: Seals, restore: str, clock: Clock,
    tell: Tell = untold,
) -> Seal:  # fmt: skip
    """Put a restored server in the place of an environment's own; the seal it goes on with.

    ``seal``: what was proved of it. The one before is then where the restored one was.

    Raises:
        SwitchedBack: it did not start or is not what was proved; the one before runs again.
        NotSwitchedBack: and neither does that one.
    """
    tell("switch", "stop what runs")
    was = server.data.stat().st_ino
    embedded.stop(restored, clock=clock)
    isolated.give_back(restored)
    ran = embedded.stop(server, clock=clock)
    with _undone(server, restored, clock, was, ran=ran):
        exchange(server.data, restored.data)
        return _in_place(server, seal, seals, restore, clock, tell)


def go_on(
    server: Server, restored: Server, seal: SealedAt, seals: Seals, restore: str, clock: Clock,
    tell: Tell = untold,
) -> Seal:  # fmt: skip
    """The same, of two that had changed places when it was killed.

    Raises:
        SwitchedBack, NotSwitchedBack: as ``switch``.
    """
    with _undone(server, restored, clock, restored.data.stat().st_ino, ran=True):
        return _in_place(server, seal, seals, restore, clock, tell)


def _in_place(
    server: Server, seal: SealedAt, seals: Seals, restore: str, clock: Clock, tell: Tell
) -> Seal:  # fmt: skip
    tell("switch", "start and prove what was restored, in its place")
    embedded.start(server, clock=clock)
    return seals.go_on(seal.number, restore, partial(_sealed_in_place, server, seals.environment))


@contextmanager
def _undone(server: Server, restored: Server, clock: Clock, was: int, *, ran: bool) -> Iterator[None]:
    """What fails in this block puts the one before back; ``was``: the number of its data directory."""
    try:
        yield
    except BaseException as error:
        _undo(server, restored, clock, error, was, ran=ran)
        if not isinstance(error, GymopsError):
            raise
        raise SwitchedBack(
            f"the environment is as it was before: {error.message}",
            hint=f"what was restored is in {restored.home}; {error.hint or 'look at its log'}",
        ) from None


def exchange(one: Path, other: Path) -> None:
    """Let two folders change places; in one step where the file system can."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        failed = libc.renamex_np(*names, _SWAP)
    else:
        failed = libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _SWAP)
    number = ctypes.get_errno() if failed else 0
    if number in {EINVAL, ENOSYS, ENOTSUP}:
        aside = one.with_name(f"{one.name}-aside")
        one.rename(aside)
        other.rename(one)
        aside.rename(other)
    elif number:
        what = "on different file systems" if number == EXDEV else os.strerror(number)
        raise GymopsError(f"{one} and {other} cannot change places: {what}", hint="leave --to out")


def _sealed_in_place(server: Server, environment: str, before: Sealed, number: int) -> Seal:
    """Prove it in its place, and seal what is there now."""
    proof = hold(server.url(), before)
    if not proof.passed:
        why = proof.broken[0].describe() if proof.broken else "the rejected rows differ"
        raise GymopsError(f"in its place it is not what was sealed: {why}")
    more, rejected = grown(server.url(), before)
    with closing(connect_plain(server.url())) as connection:
        mark = sealing.emit(connection, "gymops.seal", str(number))
    return sealing.compose(before, environment, more, rejected, mark)


def grown(url: str, before: Sealed) -> tuple[dict[str, Grown], Rejected]:
    """What is there and was not sealed yet."""
    if not has_events(url):
        return {}, Rejected()
    with closing(PostgresLog(url)) as log, snapshot(log.connection):
        return sealing.read(log, sealing.known(before)), log.rejected()


def _undo(
    server: Server, restored: Server, clock: Clock, error: BaseException, was: int, *, ran: bool
) -> None:
    try:
        embedded.stop(server, clock=clock)
        if server.data.stat().st_ino != was:
            exchange(server.data, restored.data)
        if ran:
            embedded.start(server, clock=clock)
    except (GymopsError, OSError) as worse:
        raise NotSwitchedBack(
            f"{error}; and what ran before does not start again: {worse}",
            hint=f"its data is {server.data} or {restored.data}; nothing was deleted",
        ) from error
