"""Restore-tests: bring a backup back apart, hold it to what was sealed, measure, clean up, record.

A test passes if every sealed event came back unchanged. It fails if what is stored does not become that. And
it says that it could not verify where neither is known: another key, a full disk, no answer, no programs of
that version. Nothing but a proof is ever taken for one.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from gymops import __version__
from gymops.backup import envelope
from gymops.backup.align import align
from gymops.backup.catalogue import Seals
from gymops.backup.evidence import Result
from gymops.backup.isolated import NotRecovered
from gymops.backup.keys import Keys
from gymops.backup.port import Restored, RestorePlan, Tell, Wanted, untold
from gymops.backup.recovery_point import NoPoint
from gymops.backup.stream import Damaged
from gymops.backup.tiers import CONTINUOUS, Tier
from gymops.backup.wal import WalGap
from gymops.clock import Clock
from gymops.errors import AppFailed, GymopsError, SourceError
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.proof import Proof
from gymops.pg.connection import DatabaseError
from gymops.store.blobs import NoBlob
from gymops.store.objects import Objects, named
from gymops.store.records import plain, read

UNSPOILED = "nothing was put in"
"""A drill that did not come to it."""
_READERS = 8
_SHOWN = 20
"""So many streams that differ are named."""


@dataclass(frozen=True)
class Counts:
    """Events that were sealed, and how many of them came back; None: nobody knows."""

    expected: int | None = None
    restored: int | None = None


@dataclass(frozen=True)
class Digests:
    """The log's head as it was sealed, and of what came back."""

    expected: str | None = None
    restored: str | None = None


@dataclass(frozen=True)
class Goal:
    """What the tier promises."""

    tier: str | None
    rpo_seconds: float | None = None
    rto_seconds: float | None = None
    met: bool | None = None
    """Whether both were kept; None: the test did not pass, or nothing is promised."""


@dataclass(frozen=True)
class Tested:
    """What a restore-test found, as it is recorded and signed."""

    id: str
    environment: str
    result: Result
    tier: str | None
    """What was asked for; None: the latest time."""
    recovery_point: str | None
    restored_to: datetime | None
    """What was committed by then is in it; None: it did not come to a plan."""
    seal: int | None
    """The number of the seal it is held to."""
    events: Counts
    digest: Digests
    newer: int | None
    """Events that came after the seal."""
    rpo_seconds: float | None
    """From the newest moment that is proved to the request."""
    rto_seconds: float | None
    """From the request until the digest was equal."""
    phases: Mapping[str, float]
    target: Goal
    began: datetime
    ended: datetime
    message: str | None = None
    """Of a result other than passed."""
    hint: str | None = None
    broken: tuple[str, ...] = ()
    app: str | None = None
    """What the app read of it."""
    tables: str | None = None
    """Where there is no event log: which tables came back as they were."""
    drill: str | None = None
    """The fault that was put in on purpose."""
    gymops: str = __version__

    @property
    def passed(self) -> bool:
        """Whether every sealed event came back unchanged."""
        return self.result is Result.PASSED

    @property
    def caught(self) -> bool:
        """Whether it is a drill that put a fault in, and found it."""
        return self.drill not in (None, UNSPOILED) and self.result is Result.FAILED


class Records:
    """What restore-tests found: ``tests/ENV/ID.json``, signed; drills apart, in ``drills/ENV/ID.json``."""

    def __init__(self, objects: Objects, environment: str, keys: Keys) -> None:
        self._objects, self._keys, self._environment = objects, keys, named(environment)

    def add(self, tested: Tested) -> None:
        """Record one."""
        document = json.dumps(plain(tested), sort_keys=True, separators=(",", ":")).encode()
        folder = "drills" if tested.drill else "tests"
        self._objects.create(
            f"{folder}/{self._environment}/{tested.id}.json", envelope.close(document, self._keys)
        )

    def read(self, folder: str = "tests") -> Sequence[Tested]:
        """All of them, the oldest first.

        Raises:
            Forged: one is damaged, or signed by another.
        """
        with ThreadPoolExecutor(_READERS) as readers:
            return list(readers.map(self._load, self._objects.keys(f"{folder}/{self._environment}/")))

    def lasted(self, _kind: str) -> float | None:
        """How long the last one took that passed, whatever it began with."""
        return next((one.rto_seconds for one in reversed(self.read()) if one.passed), None)

    def _load(self, key: str) -> Tested:
        found = self._objects.get(key)
        document = envelope.open_(found[0] if found else b"", key, {self._keys.public})
        try:
            tested: Tested = read(Tested, json.loads(document))
        except (ValueError, TypeError) as error:
            raise envelope.Forged(
                f"{key} is of another gymops: {error}", hint="pip install --upgrade gymops"
            ) from None
        return tested


class Restoring(Protocol):
    """What a test needs of an environment's backups: see ``port.Backups``."""

    def clear(self, tell: Tell = ...) -> Sequence[str]:
        """Delete what tests left that nobody runs any more."""
        ...

    def plan(self, wanted: Wanted) -> RestorePlan:
        """What would be done."""
        ...

    def restore(self, plan: RestorePlan, tell: Tell = ...) -> Restored:
        """Bring it back."""
        ...

    def prove(self, plan: RestorePlan, restored: Restored, tell: Tell = ...) -> Proof:
        """Hold it to the seal."""
        ...

    def drop(self, restored: Restored) -> None:
        """Delete what was brought back."""
        ...


@dataclass(frozen=True)
class How:
    """What else a test does."""

    id: str
    environment: str
    tiers: Sequence[Tier]
    seals: Seals
    spoil: Callable[[Restored], str] | None = None
    """Put a fault into the copy; what was done."""
    app: Callable[[Restored], str] | None = None
    """Run the app on the copy and read through it; what it read."""
    tables: Callable[[Restored], str | None] | None = None
    """Which tables a proof held to what they were."""
    live: str | None = None
    """The URL of the source, to name the very event that differs."""


@dataclass
class Watch:
    """Times phases: one ends where another is told."""

    clock: Clock
    tell: Tell
    phases: dict[str, float] = field(default_factory=dict)
    _phase: str | None = None
    _since: float = 0.0

    def __call__(self, phase: str, how_far: str) -> None:
        if phase != self._phase:
            self.stop()
            self._phase, self._since = phase, self.clock.monotonic()
        self.tell(phase, how_far)

    def stop(self) -> None:
        """End the phase that runs."""
        if self._phase is not None:
            gone = self.clock.monotonic() - self._since
            self.phases[self._phase] = round(self.phases.get(self._phase, 0.0) + gone, 3)
        self._phase = None


def run(backups: Restoring, wanted: Wanted, how: How, clock: Clock, tell: Tell = untold) -> Tested:
    """Test one recovery point, or the latest time; whatever happens, there is a verdict."""
    backups.clear(tell)
    began, start = clock.now(), clock.monotonic()
    watch = Watch(clock, tell)
    tested = Tested(
        how.id, how.environment, Result.UNVERIFIED, wanted.tier, wanted.point, None, None, Counts(),
        Digests(), None, None, None, {}, _goal(how.tiers, wanted.tier), began, began,
    )  # fmt: skip
    restored: Restored | None = None
    fault = UNSPOILED if how.spoil else None
    try:
        watch("plan", "what there is")
        try:
            plan = backups.plan(replace(wanted, test=True))
        except GymopsError as error:
            return _ended(replace(tested, drill=fault), _judged(error, planned=False), error, watch, clock)
        tested = _planned(tested, plan, wanted, how)
        try:
            restored = backups.restore(plan, watch)
            if how.spoil:
                fault = how.spoil(restored)
            proof = backups.prove(plan, restored, watch)
        except (GymopsError, UnicodeDecodeError, struct.error) as error:
            return _ended(replace(tested, drill=fault), _judged(error, planned=True), error, watch, clock)
        watch.stop()
        tested = _proved(tested, proof, plan, clock.monotonic() - start)
        if not proof.passed:
            broken = _names(proof, restored, how)
            tested = replace(
                tested, broken=broken, message=broken[0] if broken else "the rejected rows differ"
            )
        else:
            tested = replace(tested, tables=how.tables(restored) if how.tables else None)
            if how.app:
                tested = _with_app(tested, how.app, restored, watch)
        return replace(tested, phases=dict(watch.phases), ended=clock.now(), drill=fault)
    finally:
        if restored is not None:
            tell("drop", "what was restored")
            try:
                backups.drop(restored)
            except GymopsError as error:  # the verdict stands; the next test deletes what was left
                tell("left", f"{restored.name} is not deleted: {error.message}")


def _planned(tested: Tested, plan: RestorePlan, wanted: Wanted, how: How) -> Tested:
    return replace(
        tested, recovery_point=plan.point, restored_to=plan.lost_since,
        seal=plan.seal.number if plan.seal else None,
        events=Counts(plan.seal.events if plan.seal else None),
        digest=Digests(plan.seal.head if plan.seal else None),
        target=_goal(how.tiers, wanted.tier or (CONTINUOUS if plan.at else None)),
    )  # fmt: skip


def _proved(tested: Tested, proof: Proof, plan: RestorePlan, seconds: float) -> Tested:
    # What is newer came back as well, but nothing was sealed of it: only the seal's moment is proved then.
    moment = plan.seal.taken if plan.seal and proof.newer else plan.lost_since
    rpo = max(0.0, (tested.began - moment).total_seconds())
    goal, rto = tested.target, round(seconds, 3)
    within = [
        took <= most for took, most in ((rpo, goal.rpo_seconds), (rto, goal.rto_seconds)) if most is not None
    ]
    # Rejected rows have no order: where more came since the seal, nobody can tell those that were sealed.
    whole = proof.expected_digest == proof.restored_digest and not proof.broken
    untold = whole and not proof.rejected and proof.newer > 0
    result = Result.PASSED if proof.passed else Result.UNVERIFIED if untold else Result.FAILED
    return replace(
        tested, result=result, newer=proof.newer,
        events=Counts(proof.expected_events, proof.restored_events),
        digest=Digests(proof.expected_digest, proof.restored_digest),
        rpo_seconds=round(rpo, 3), rto_seconds=rto if proof.passed else None,
        target=replace(goal, met=all(within) if proof.passed and within else None),
    )  # fmt: skip


def _with_app(tested: Tested, app: Callable[[Restored], str], restored: Restored, watch: Watch) -> Tested:
    watch("app", "on what was restored")
    try:
        return replace(tested, app=app(restored))
    except AppFailed as error:
        why = f"every event came back, and the app does not work on them: {error.message}"
        return replace(tested, result=Result.FAILED, message=why, hint=error.hint)
    except GymopsError as error:
        why = f"every event came back, and whether the app works on them nobody can tell: {error.message}"
        return replace(tested, result=Result.UNVERIFIED, message=why, hint=error.hint)
    finally:
        watch.stop()


def _names(proof: Proof, restored: Restored, how: How) -> tuple[str, ...]:
    """What differs, as exactly as it can be told."""
    said = [one.describe() for one in proof.broken[:_SHOWN]]
    if restored.url is None or how.live is None or not proof.broken:
        return tuple(said)
    sealed = how.seals.sealed()
    with closing(PostgresLog(restored.url)) as came, closing(PostgresLog(how.live)) as live:
        exact = align(proof.broken[0], sealed, came, live)
    return (f"{said[0]}; {exact}", *said[1:]) if exact else tuple(said)


def _judged(error: Exception, *, planned: bool) -> Result:
    """Whether it is the backup's fault."""
    if isinstance(error, GymopsError) and error.unknown:
        return Result.UNVERIFIED
    if isinstance(error, DatabaseError):
        broken = error.sqlstate is not None and (error.sqlstate[:2] == "XX" or error.sqlstate == "58P01")
        return Result.FAILED if broken or error.sqlstate == "42P01" else Result.UNVERIFIED
    if isinstance(error, envelope.OtherKey):
        return Result.UNVERIFIED
    broken_when = (Damaged, NoBlob, NotRecovered, SourceError, envelope.Forged)
    if isinstance(error, (*broken_when, UnicodeDecodeError, struct.error)):
        return Result.FAILED
    # It was all there when it was planned: what is gone since was deleted meanwhile.
    if isinstance(error, WalGap | NoPoint):
        return Result.FAILED if isinstance(error, WalGap) and not planned else Result.UNVERIFIED
    return Result.UNVERIFIED


def _ended(tested: Tested, result: Result, error: Exception, watch: Watch, clock: Clock) -> Tested:
    watch.stop()
    known = error if isinstance(error, GymopsError) else None
    why = known.message if known else f"what came back cannot be read as events: {error}"
    return replace(
        tested, result=result, message=why, hint=known.hint if known else None, phases=dict(watch.phases),
        ended=clock.now(),
    )  # fmt: skip


def _goal(tiers: Sequence[Tier], name: str | None) -> Goal:
    tier = next((one for one in tiers if one.name == name), None)
    if tier is None:
        return Goal(name)
    return Goal(
        tier.name,
        tier.rpo.total_seconds() if tier.rpo else None,
        tier.rto.total_seconds() if tier.rto else None,
    )
