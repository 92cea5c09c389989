"""Backups of a damaged log: the bytes are taken, they count as no good one, and the way back is said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gymops.backup import damage, prune, restore_test, sealing
from gymops.backup.audit import audit
from gymops.backup.evidence import Evidence, Expected, Result, State
from gymops.backup.findings import Kind
from gymops.backup.gather import gather
from gymops.backup.listing import listing
from gymops.backup.port import Wanted
from gymops.backup.recovery_point import RecoveryPoint
from gymops.backup.restore import Restores
from gymops.backup.restore_test import Counts, Digests, Goal, How
from gymops.backup.runs import runs
from gymops.backup.take import Taken
from gymops.backup.tiers import DEFAULT
from gymops.clock import SystemClock
from gymops.pg.connection import DatabaseError
from gymops.pg.failures import Kind as Failure
from tests.integration.backup.conftest import Backed

CLOCK = SystemClock()
DAY = timedelta(days=1)


def take(backed: Backed, tier: str, method: str | None = None) -> Taken:
    taker = backed.taker(method=method)
    return taker.take(taker.plan(tier), CLOCK.now())


@pytest.fixture
def damaged(backed: Backed) -> Backed:
    """Sealed with 30 events, of which five are deleted; two came later."""
    backed.append("ann", 20)
    take(backed, "daily")
    backed.append("ann", 10)
    take(backed, "continuous")
    backed.sql("ALTER TABLE events DISABLE TRIGGER events_append_only")
    backed.sql("DELETE FROM events WHERE position > 25")
    backed.sql("ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only")
    backed.append("bob", 2)
    return backed


def mend(backed: Backed) -> None:
    """Somebody brings back what was lost, and more is entered."""
    backed.append("ann", 5)
    backed.vault.objects.delete(f"seals/{backed.vault.environment}/00000002.json")


def good(backed: Backed) -> RecoveryPoint:
    (found,) = (one for one in backed.vault.catalogue.points() if one.damaged is None)
    return found


def found(backed: Backed) -> Evidence:
    return gather(backed.vault, CLOCK.now())


@pytest.mark.parametrize("method", [None, "dump"])
def test_the_bytes_are_taken_and_are_no_good_backup(damaged: Backed, method: str | None) -> None:
    vault, before = damaged.vault, good(damaged)
    taken = take(damaged, "weekly", method)
    assert taken.damaged
    assert taken.damaged.message == "'ann' has 25 events, and 30 were sealed"
    assert taken.point
    assert taken.point.damaged == taken.damaged.message
    assert taken.seal
    assert (taken.seal.events, len(vault.seals.read())) == (30, 2)  # what must come back, not what is there
    assert [one.damaged for one in listing(vault).points] == [None, taken.damaged.message]
    # The last moment in which all was well can be restored, and the command for it is said.
    at = f"{vault.seals.read()[-1].taken:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert taken.damaged.hint == f"gymops restore {vault.environment} --at {at} --to NEW"
    # The audit counts it as none, and says what to do first of all.
    (first, *_) = audit(found(damaged), Expected(), CLOCK.now() + timedelta(seconds=1)).findings
    assert (first.kind, first.next) == (Kind.DAMAGED, taken.damaged.hint)
    assert taken.damaged.message in first.what
    # No good one is let go of in favour of it, however old it gets.
    later = CLOCK.now() + 400 * DAY
    assert taken.pruned is None
    assert [one.id for one in prune.prune(vault, DEFAULT, later).points] == [taken.point.id]
    assert vault.catalogue.points() == [before]


def test_what_failed_a_restore_test_is_not_the_last_good_one(backed: Backed) -> None:
    backed.append("ann", 2)
    points = [take(backed, "daily").point for _ in range(2)]
    assert points[0]
    assert points[1]
    records = restore_test.Records(backed.vault.objects, backed.vault.environment, backed.vault.keys)
    records.add(_failed(backed, points[1].id))
    prune.prune(backed.vault, DEFAULT, CLOCK.now() + 400 * DAY)
    assert [one.id for one in backed.vault.catalogue.points()] == [points[0].id]


def test_a_table_of_events_of_another_schema_is_not_the_log_that_was_sealed(backed: Backed) -> None:
    backed.append("ann", 2)
    take(backed, "daily")
    backed.sql("ALTER TABLE events RENAME TO events_before")
    try:
        backed.sql("CREATE TABLE events (id int)")
        told = take(backed, "continuous").damaged
    finally:
        backed.sql("DROP TABLE IF EXISTS events")
        backed.sql("ALTER TABLE events_before RENAME TO events")
    assert told
    assert "the log that was sealed is gone" in told.message


def _failed(backed: Backed, point: str) -> restore_test.Tested:
    now = CLOCK.now()
    return restore_test.Tested(
        "x", backed.vault.environment, Result.FAILED, "daily", point, None, None, Counts(), Digests(), None,
        None, None, {}, Goal("daily"), now, now,
    )  # fmt: skip


def test_what_only_receives_wal_says_so_each_time_and_is_written_down_once(damaged: Backed) -> None:
    first, second = take(damaged, "continuous"), take(damaged, "continuous")
    assert first.damaged
    assert second.damaged
    assert first.until
    assert second.until
    assert second.until > first.until
    assert [(one.tier, one.state) for one in runs(damaged.vault)] == [("continuous", State.UNSEALED)]


def test_what_is_tried_again_copies_the_server_once(damaged: Backed) -> None:
    first = take(damaged, "daily")
    damaged.append("ann", 1)
    second = take(damaged, "daily")
    assert (first.point is None, second.point, second.damaged is None) == (False, None, False)
    assert first.point
    assert (
        second.notes[0] == f"{first.point.id} is a copy of it already, and the WAL since goes on from there"
    )
    assert second.until
    (window,) = listing(damaged.vault).windows
    assert window.latest == second.until
    assert [(one.tier, one.state) for one in runs(damaged.vault)] == [("daily", State.UNSEALED)] * 2


def test_once_it_is_mended_nothing_is_said_any_more(damaged: Backed) -> None:
    take(damaged, "daily")
    assert found(damaged).damaged
    mend(damaged)
    assert take(damaged, "daily").damaged is None
    assert found(damaged).damaged is None


def test_without_a_way_through_time_the_newest_good_point_is_the_way_back(backed: Backed) -> None:
    backed.append("ann", 20)
    point = take(backed, "daily").point
    backed.sql("ALTER TABLE events DISABLE TRIGGER events_append_only")
    backed.sql("DELETE FROM events")
    backed.sql("ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only")
    told = take(backed, "daily").damaged
    assert told
    assert point
    assert told.hint == f"gymops restore {backed.vault.environment} --from {point.id} --to NEW"
    backed.vault.catalogue.remove(point)
    assert damage.way_back(backed.vault) == f"gymops backups {backed.vault.environment}"


def test_a_log_that_cannot_be_read_is_damaged(backed: Backed, monkeypatch: pytest.MonkeyPatch) -> None:
    backed.append("ann", 2)
    take(backed, "daily")

    def unreadable(*_: object) -> None:
        raise DatabaseError("invalid page in block 7", kind=Failure.DAMAGED)

    monkeypatch.setattr(sealing, "take", unreadable)
    told = take(backed, "continuous").damaged
    assert told
    assert "invalid page" in told.message
    monkeypatch.setattr(sealing, "take", _no_answer)
    with pytest.raises(DatabaseError, match="no answer"):  # that is no damage
        take(backed, "continuous")


def _no_answer(*_: object) -> None:
    raise DatabaseError("no answer", kind=Failure.CONNECTION_LOST)


@pytest.mark.long
def test_a_restore_test_of_it_fails_and_the_way_back_passes(damaged: Backed) -> None:
    taken = take(damaged, "weekly")
    assert taken.point
    vault = damaged.vault
    restores = Restores(vault, damaged.url, [damaged.binaries], damaged.folder / "home", CLOCK)
    how = How("x", vault.environment, DEFAULT, vault.seals)
    tested = restore_test.run(restores, Wanted(tier="weekly"), how, CLOCK)
    assert (tested.result, tested.recovery_point) == (Result.FAILED, taken.point.id)
    assert tested.message
    assert "5 events are missing from position 26" in tested.message
    back = restore_test.run(restores, Wanted(at=vault.seals.read()[-1].taken), how, CLOCK)
    assert (back.result, back.events.restored) == (Result.PASSED, 30), back
