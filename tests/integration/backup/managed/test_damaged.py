"""RDS with a log that is damaged: backed up all the same, as no good backup; and the way back is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gymops.aws.backup_history import BackupHistory
from gymops.backup.audit import audit
from gymops.backup.evidence import Expected, Result, State
from gymops.backup.findings import Kind
from gymops.backup.gather_rds import gather
from gymops.backup.managed.backups import ManagedBackups
from gymops.backup.managed.waiting import Patience
from gymops.backup.port import Wanted
from gymops.backup.restore_test import How, run
from gymops.backup.runs import runs
from gymops.backup.tiers import DEFAULT
from gymops.clock import SystemClock
from tests.integration.backup.managed.world import World, restored

pytestmark = pytest.mark.long

WHY = "'ann' has 25 events, and 30 were sealed"


class Later(SystemClock):
    """A year from now, if so set."""

    days = 0

    def now(self) -> datetime:
        return super().now() + timedelta(days=self.days)


def of_snapshots(own: World, clock: SystemClock) -> ManagedBackups:
    patience = Patience(clock, interval=0.05, timeout=60.0)
    return own.environment(places=replace(own.places, vault=None), patience=patience)


def test_a_damaged_log_is_backed_up_and_is_no_good_backup(own: World) -> None:
    clock = Later()
    snapshots, backups = of_snapshots(own, clock), own.backups
    own.log("ann", 30)
    first = snapshots.take("daily")
    own.covered(own.now())
    own.now()
    with own.connect() as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM events WHERE position > 25")
    own.log("bob", 2)

    # The bytes are taken, by whichever way, and say of themselves that they are not good.
    taken = snapshots.take("daily")
    vault = backups.take("monthly")
    assert (first.damaged, taken.damaged, vault.damaged) == (None, WHY, WHY)
    assert (len(backups.seals.read()), vault.seal and vault.seal.events) == (1, 30)
    for _ in range(2):  # what is asked all the time is written down once
        now = backups.take("continuous")
        assert (now.damaged, now.seal and now.seal.events) == (WHY, 30)
    assert [(one.tier, one.state) for one in runs(backups)] == [
        ("daily", State.UNSEALED), ("monthly", State.UNSEALED),
    ]  # fmt: skip
    copy = next(one for one in backups.listing().points if one.kind == "copy")
    assert copy.damaged == WHY

    # The audit counts it as none, and says what to do first of all.
    there = backups.aws.databases.find(own.name)
    assert there
    listing, at = backups.listing(), SystemClock().now() + timedelta(seconds=1)
    damaged = backups.known().still_damaged("prod", listing, at)
    evidence = gather("prod", there, listing, BackupHistory(own.account), at, [], damaged)
    (worst, *_) = audit(evidence, Expected(), at).findings
    assert (worst.kind, worst.next) == (Kind.DAMAGED, backups.way_back())
    assert WHY in worst.what
    assert State.DONE not in {one.state for one in evidence.jobs if not one.copy}

    # What a restore begins with, unless another is asked for, is not such a one; a test of it fails.
    alone = replace(listing, windows=())
    assert {one.id for one in alone.points if one.damaged is None} == {first.id}
    tested = run(backups, Wanted(tier="monthly"), How("x", "prod", DEFAULT, backups.seals), SystemClock())
    assert (tested.result, tested.message and "5 events are missing from position 26" in tested.message) == (
        Result.FAILED, True,
    )  # fmt: skip

    # The last moment in which all was well comes back.
    moment = backups.way_back().partition("--at ")[2].partition(" ")[0]
    assert moment, backups.way_back()
    _, made, proof = restored(own, Wanted(at=datetime.fromisoformat(moment), test=True))
    assert (proof.passed, proof.restored_events) == (True, 30)
    backups.drop(made)

    # Nothing is let go of meanwhile, however old; and once it is mended, never the last good one in favour.
    clock.days = 400
    last = snapshots.take("daily")
    assert {first.id, taken.id, last.id} <= {one.id for one in snapshots.listing().points}
    snapshots._prune(snapshots.source())
    assert [one.id for one in snapshots.listing().points if one.kind == "snapshot"] == [first.id, last.id]
