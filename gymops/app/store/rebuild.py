"""Folding a log anew: into a shadow beside the live rows, compared with them, swapped in one transaction.

1. The shadow takes the log in batches; a batch and how far it came share a transaction, so that a killed
   rebuild goes on where it was. The app appends meanwhile, undisturbed.
2. Under the user's lock the shadow takes the rest.
3. Rows that differ from the live ones are counted and replaced; equal ones are left alone.
4. The shadow is emptied in the same transaction.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from gymops.app.store.base import Progress, Rebuilt
from gymops.app.store.transaction import Transaction

BATCH = 2_000


class Log(Protocol):
    """One user's log in a store, as a rebuild uses it."""

    def live(self) -> AbstractContextManager[Transaction]:
        """A transaction on the live rows, under the user's lock."""

    def shadow(self) -> AbstractContextManager[Transaction]:
        """A transaction on the shadow; one rebuild of a user at a time."""

    def swap(self) -> AbstractContextManager[Transaction]:
        """The same under the user's lock: at its end the shadow takes the place of the live rows."""

    def changed(self) -> dict[str, int]:
        """What the last swap changed."""


def build(log: Log, progress: Progress) -> int:
    """Fold what is missing; how many events it were."""
    done = 0
    while True:
        with log.live() as transaction:
            if transaction.folded is None and transaction.end > 0:
                break
            count = transaction.catch_up(BATCH)
        progress(count)
        done += count
        if count < BATCH:
            return done
    return rebuild(log, progress).events


def rebuild(log: Log, progress: Progress) -> Rebuilt:
    """Fold the whole log again, as this module's head describes."""
    count = BATCH
    while count == BATCH:
        with log.shadow() as transaction:
            count = transaction.catch_up(BATCH)
        progress(count)
    with log.swap() as transaction:
        while transaction.catch_up(BATCH):
            pass
        events = transaction.end
    return Rebuilt(events, log.changed())
