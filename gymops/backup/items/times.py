"""Any time in between: DynamoDB's point-in-time recovery of all tables together, and what it is held to.

Nothing is recorded of most moments, so most cannot be proved. A test makes one that can: it looks at every
table, takes the next whole second as its moment, looks again, and waits until that can be restored. What was
the same both times must come back, as of any backup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Protocol

from gymops import __version__
from gymops.aws.backup_jobs import Job
from gymops.aws.tables import Table
from gymops.backup.items import looks
from gymops.backup.items.beating import beating, counting
from gymops.backup.items.content import Content
from gymops.backup.items.port import Holder
from gymops.backup.items.record import Begun, Part, Sets, Together
from gymops.backup.managed.lease import Leases
from gymops.backup.managed.waiting import Endless, Patience
from gymops.backup.port import OutOfReach, Tell, Window, untold
from gymops.backup.recovery_point import NoPoint, new_id
from gymops.backup.tiers import CONTINUOUS
from gymops.backup.vault import Vault
from gymops.clock import ticks
from gymops.errors import GymopsError

_SECOND = timedelta(seconds=1)
_TRAILS = 1800.0
"""Seconds: DynamoDB says some five minutes."""


class Continuous(Protocol):
    """The tables of an account's region."""

    def find(self, name: str) -> Table | None:
        """A table, and between which times it can be restored."""

    def restore_at(self, source: str, name: str, at: datetime) -> None:
        """Begin to make a table as another was at a time."""

    def restoring(self, name: str) -> Job:
        """How far it is."""


@dataclass(frozen=True)
class Times:
    """The times of an environment's tables."""

    environment: str
    names: Sequence[str]
    tables: Continuous
    holder: Holder
    vault: Vault
    patience: Patience
    skew: timedelta = timedelta(seconds=5)
    """So much may this clock be beside DynamoDB's."""

    def window(self) -> Window | None:
        """Between which whole seconds all of them can be restored; None: there are none, or one cannot be."""
        found = [self.tables.find(name) for name in self.names]
        windows = [one.window for one in found if one and one.window]
        if not windows or len(windows) < len(found):
            return None
        earliest = _whole_up(max(first for first, _ in windows))
        latest = min(last for _, last in windows).replace(microsecond=0)
        name = ", ".join(self.names)
        return Window(name, name, earliest, latest) if earliest <= latest else None

    def witness(self, tell: Tell = untold) -> Together:
        """Make a moment that can be proved: looked at around it, waited for, recorded.

        Raises:
            Endless: it does not come to be restorable.
        """
        clock, leases = self.patience.clock, Leases(self.vault.objects, self.environment)
        begun = Begun(new_id(clock.now()), clock.now())
        self._sets.begin(begun)
        try:
            made = self._witness(begun.id, beating(leases, begun.id, count(), tell))
        finally:
            with suppress(GymopsError):
                leases.drop(begun.id)
        self._sets.ended(begun)
        self._forget_old(tell)
        return made

    def _witness(self, identifier: str, tell: Tell) -> Together:
        clock, before = self.patience.clock, {}
        for name in self.names:
            tell("look", f"{name}, before")
            before[name] = self.holder.look(name, counting(tell, "look", name))
        at = _whole_up(clock.now() + self.skew)
        clock.sleep((at + self.skew - clock.now()).total_seconds())
        parts = []
        for name in self.names:
            tell("look", f"{name}, after")
            after = self.holder.look(name, counting(tell, "look", name))
            content = Content.of(before.pop(name), after)
            key = f"{self.environment}/{identifier}/table-{name}.jsonl.zst.age"
            stored, arn = looks.keep(self.vault, content, key), self.holder.arn(name) or name
            steady, moving = len(content.steady), len(content.moving)
            parts.append(Part(name, arn, arn, None, stored, steady, moving, content.digest))
        self._wait(at, tell)
        made = Together(identifier, self.environment, CONTINUOUS, at, clock.now(), tuple(parts), __version__)
        self._sets.witness(made)
        return made

    def chosen(self, at: datetime | None) -> datetime:
        """The whole second that is restored, never a later one; of no time, the newest that can be proved.

        Raises:
            OutOfReach: it cannot be restored; with the nearest that can.
            NoPoint: none can be proved.
        """
        window, name = self.window(), self.environment
        if window is None:
            off = [one for one in self.names if not self._on(one)]
            why = f"there is no point-in-time recovery of {', '.join(off)}"
            if not off:
                why = "point-in-time recovery has only just begun" if self.names else "there is no table"
            raise OutOfReach(
                f"no time between two backups can be restored: {why}",
                nearest=None,
                hint=f"gymops backups {name} lists what can be restored with --from",
            )
        if at is None:
            proved = [one for one in self._moments() if window.earliest <= one.taken <= window.latest]
            if not proved:
                raise NoPoint(
                    f"no time of {name} can be proved", hint=f"gymops restore-test {name} --tier {CONTINUOUS}"
                )
            return proved[-1].taken
        whole = at.replace(microsecond=0)
        if window.earliest <= whole <= window.latest:
            return whole
        nearest = window.earliest if whole < window.earliest else window.latest
        side = "before" if whole < window.earliest else "after"
        raise OutOfReach(
            f"{_text(at)} is {side} what can be restored: the nearest time is {_text(nearest)}",
            nearest=nearest,
            hint=f"gymops restore {name} --at {_text(nearest)} --to NEW",
        )

    def recorded(self, at: datetime) -> Together | None:
        """What was recorded around this very moment, of all tables there are."""
        found = [one for one in self._moments() if one.taken == at]
        whole = [one for one in found if {part.name for part in one.parts} == set(self.names)]
        return whole[-1] if whole else None

    def begin(self, new: Mapping[str, str], at: datetime) -> list[tuple[str, Callable[[], Job]]]:
        """Begin to make all of them anew; what tells how far each is."""
        for name, to in new.items():
            self.tables.restore_at(name, to, at)
        return [(to, partial(self.tables.restoring, to)) for to in new.values()]

    def _wait(self, at: datetime, tell: Tell) -> None:
        clock = self.patience.clock
        for _ in ticks(clock, timeout=_TRAILS, interval=self.patience.interval):
            window = self.window()
            if window and window.latest >= at:
                return
            up_to = f"; now up to {_text(window.latest)}" if window else ""
            tell("wait", f"until {_text(at)} can be restored{up_to}")
        raise Endless(
            f"after {_TRAILS / 60:.0f} minutes {_text(at)} cannot be restored yet", hint="run the same again"
        )

    def _forget_old(self, tell: Tell) -> None:
        """What cannot be restored any more proves nothing: the looks first, then the record."""
        window = self.window()
        for one in self._moments():
            if window is None or one.taken >= window.earliest:
                continue
            try:
                for part in one.parts:
                    self.vault.blobs.delete(part.content.key)
                self._sets.forget(one)
            except GymopsError as error:
                tell("stays", f"{one.id}, until the next: {error.message}")

    def _on(self, name: str) -> bool:
        found = self.tables.find(name)
        return found is not None and found.continuous

    def _moments(self) -> Sequence[Together]:
        return self._sets.moments()

    @property
    def _sets(self) -> Sets:
        return Sets(self.vault.objects, self.environment, self.vault.keys)


def _whole_up(at: datetime) -> datetime:
    whole = at.replace(microsecond=0)
    return whole if whole == at else whole + _SECOND


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
