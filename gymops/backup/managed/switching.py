"""Pointing an environment at a restored instance: the two change names, and nothing is deleted.

An endpoint belongs to a name, so whoever connects finds the restored instance where the other one was. Each
is known by its resource id, which stays: so a change that was killed is gone on with, or taken back, from
wherever it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gymops.aws.databases import Databases
from gymops.aws.proxies import Proxies
from gymops.aws.session import AwsError
from gymops.backup.managed import listing, proving, tags
from gymops.backup.managed.backups import ManagedBackups
from gymops.backup.managed.inside import Inside
from gymops.backup.managed.waiting import Endless, Gone
from gymops.backup.port import RestorePlan, Tell, untold
from gymops.clock import ticks
from gymops.errors import GateRefused, GymopsError
from gymops.eventlog.seal import Seal, Sealed

_TIMEOUT = 3600.0
"""Seconds: AWS takes about ten minutes to make a new name known."""


@dataclass(frozen=True)
class Change:
    """Two instances that change places."""

    restore: str
    """By which restore."""
    name: str
    """The environment's instance is called so."""
    old: str
    """The resource id of the one that is called so before."""
    kept: str
    """What that one is called afterwards."""
    new: str
    """The resource id of the restored one."""
    restored: str
    """What the restored one is called before."""
    seal: int
    """What was proved of it."""


@dataclass(frozen=True)
class Switching:
    """A change of places, and the seal that follows from it."""

    backups: ManagedBackups
    proxies: Proxies
    change: Change
    tell: Tell = untold

    def fronts(self) -> Sequence[str]:
        """The proxies that the environment's instance is behind."""
        return self.proxies.before(self.change.name)

    def forth(self, fronts: Sequence[str]) -> None:
        """The restored one gets the name, the one before keeps its data under another."""
        self._name(self.change.old, self.change.kept)
        self._name(self.change.new, self.change.name)
        self._aim(fronts)

    def back(self, fronts: Sequence[str]) -> None:
        """As it was."""
        self._name(self.change.new, self.change.restored)
        self._name(self.change.old, self.change.name)
        self._aim(fronts)

    def goes_on(self) -> dict[str, Any]:
        """Prove it in its place, and seal what is there as what the proved seal goes on with.

        Raises:
            GymopsError: it is not what was proved.
        """
        seal = self.backups.seals.go_on(self.change.seal, self.change.restore, self._seal)
        there = self._databases.of(self.change.new)
        if there is not None:  # it is the environment's now, and no restore deletes it any more
            marks = [name for name in tags.ALL if name in there.tags]
            if marks:
                self._databases.untag(there.arn, marks)
        return {
            "recovery": self.change.restore, "kept": self.change.kept, "proved": self.change.seal,
            "seal": seal.number, "events": seal.events, "digest": seal.head,
        }  # fmt: skip

    def _seal(self, before: Sealed, _: int) -> Seal:
        """Prove it in its place, and seal what is there now."""
        backups, change = self.backups, self.change
        there, places = self._databases.of(change.new), backups.places
        if there is None or places is None or not places.function:
            raise Gone(f"{change.name} is not there", hint=f"gymops status {backups.environment}")
        inside = Inside(backups.aws.functions, places.function)
        proof = inside.prove(before, proving.place(there), self.tell)
        if not proof.passed:
            why = proof.broken[0].describe() if proof.broken else "the rejected rows differ"
            raise GymopsError(f"in its place it is not what was sealed: {why}")
        found = inside.seal(before, backups.environment, self.tell, always=True)
        if found is None:
            raise AssertionError("what is always sealed was not")
        return found

    def _aim(self, fronts: Sequence[str]) -> None:
        for proxy in fronts:
            self.tell("switch", f"{proxy}: to {self.change.name}")
            self.proxies.aim(proxy, self.change.name)

    def _name(self, resource: str, name: str) -> None:
        """Give an instance a name, and wait until it is there under it."""
        patience = self.backups.patience
        for _ in ticks(patience.clock, timeout=_TIMEOUT, interval=patience.interval):
            try:
                found = self._databases.of(resource)
                if found is not None and found.name == name:
                    if found.status == "available" and found.host and not found.changing:
                        return
                elif found is not None and found.status == "available":
                    self._databases.rename(found.name, name)
            except AwsError as error:
                if not error.passing:
                    raise
                found = None
            self.tell("switch", f"{name}: {found.status if found else 'not told of'}")
        raise Endless(f"{resource} is not called {name} after an hour", hint="run the same again: it goes on")

    @property
    def _databases(self) -> Databases:
        return self.backups.aws.databases


def change(backups: ManagedBackups, plan: RestorePlan) -> Change:
    """What is to change places after a restore that was proved.

    Raises:
        GateRefused: one of the two is not there; or nothing was proved.
    """
    databases = backups.aws.databases
    name = backups.places.instance if backups.places else ""
    old, new = databases.find(name) if name else None, databases.find(plan.to)
    if old is None or new is None:
        raise GateRefused(
            f"there is no database {plan.to if old else name} to change places with",
            hint=f"gymops status {backups.environment}",
        )
    if plan.seal is None:
        raise GateRefused(
            "nothing was sealed by then, so nothing would be proved of what it is switched to",
            hint="restore without --switch, and look at it",
        )
    kept = listing.aside(name, plan.id)
    return Change(plan.id, name, old.resource, kept, new.resource, plan.to, plan.seal.number)


def need_names(databases: Databases, environment: str, change: Change) -> None:
    """See that the two are called as they were before: only then may a change of places be given up.

    Raises:
        GateRefused: they are not; somebody has to end it, one way or the other.
    """
    found = databases.of(change.old)
    if found is not None and found.name != change.name:
        raise GateRefused(
            f"{environment}'s database is called {found.name} now, and {change.restored} takes its place:"
            " given up, neither would have the name",
            hint=f"gymops restore {environment} --to {change.restored} --switch ends it: what fails then puts"
            " the one before back",
        )
