"""What is restored for what is wanted, and what is refused with the nearest that can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gymops.backup.managed.planning import Around, choose, plan
from gymops.backup.port import Listing, OutOfReach, Point, Wanted, Window
from gymops.backup.recovery_point import NoPoint
from gymops.eventlog.digest import Rejected
from gymops.eventlog.seal import GoesOn, Seal
from tests.unit.backup.managed.rows import known

NOON = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)


def at(hours: float, seconds: float = 0) -> datetime:
    return NOON + timedelta(hours=hours, seconds=seconds)


def point(name: str, hours: float, **given: object) -> Point:
    found = Point(name, "aws-backup", "daily", at(hours), 1, True, False, "us-west-1/vault", ready=True)
    return replace(found, **given)  # type: ignore[arg-type]


def row(*given: tuple[float, int], goes_on: dict[int, int] | None = None) -> tuple[Seal, ...]:
    """Seals: when, and of how many events; ``goes_on``: number -> from which other than the one before."""
    found: list[Seal] = []
    for number, (hours, events) in enumerate(given, start=1):
        other = (goes_on or {}).get(number)
        found.append(
            Seal(
                "prod", number, at(hours), "1", "0/0", found[-1].digest if found else "", events,
                f"head-{number}", Rejected(),
                goes_on=GoesOn(other, found[other - 1].digest, "restore") if other else None,
            )
        )  # fmt: skip
    return tuple(found)


OLD, NEW, AWAY = point("old", -100), point("new", -2), point("far/new", -2, kind="copy", tier="monthly")
WINDOW = Window("prod-db", "db-1", at(-48, 0.25), at(0, 0.75))
LISTING = Listing((OLD, NEW, AWAY), (WINDOW, Window("prod-db", "db-0", at(-90), at(-60), gone=True)))
KNOWN = known(row((-70, 10), (-3, 50), (-1, 80)))


def test_nothing_wanted_is_the_latest_time_in_whole_seconds() -> None:
    found = choose("prod", LISTING, Wanted(), KNOWN)
    assert (found.at, found.source, found.seal and found.seal.number) == (at(0), "prod-db", 3)


def test_a_time_is_never_rounded_up() -> None:
    found = choose("prod", LISTING, Wanted(at=at(-1, -0.001)), KNOWN)
    assert found.at == at(-1, -1)
    assert found.seal is not None
    assert found.seal.number == 2
    held = choose("prod", LISTING, Wanted(at=at(-1)), KNOWN).seal
    assert held is not None
    assert held.number == 3


def test_a_time_from_before_the_instance_comes_from_the_backups_of_the_one_that_went() -> None:
    found = choose("prod", LISTING, Wanted(at=at(-65)), KNOWN)
    assert (found.window and found.window.id, found.seal and found.seal.number) == ("db-0", 1)


def test_an_instance_is_not_held_to_what_was_sealed_of_a_history_that_was_given_up() -> None:
    seals = row((-70, 10), (-3, 50), (-2.5, 60), (-1, 55), goes_on={4: 2})
    for hours, number in ((-1, 4), (-2, 2)):
        held = choose("prod", LISTING, Wanted(at=at(hours)), known(seals)).seal
        assert held is not None
        assert held.number == number


@pytest.mark.parametrize(
    ("wanted", "nearest", "hint"),
    [
        (at(1), at(0), "--at 2026-11-01T12:00:00Z"),
        (at(0, 2), at(0), "--at 2026-11-01T12:00:00Z"),
        (at(-50), at(-48, 1), "or --from old as it was at 2026-10-28T08:00:00Z"),
        (at(-59), at(-60), "--at 2026-10-30T00:00:00Z"),
        (at(-1000), at(-90), "--at 2026-10-28T18:00:00Z"),
    ],
)
def test_a_time_outside_is_refused_with_the_nearest(wanted: datetime, nearest: datetime, hint: str) -> None:
    with pytest.raises(OutOfReach) as error:
        choose("prod", LISTING, Wanted(at=wanted), KNOWN)
    assert error.value.nearest == nearest
    assert hint in str(error.value.hint)
    assert choose("prod", LISTING, Wanted(at=nearest), KNOWN).at == nearest


def test_the_newest_of_a_tier_and_rather_one_that_is_here() -> None:
    assert choose("prod", LISTING, Wanted(tier="daily"), KNOWN).point == NEW
    assert choose("prod", LISTING, Wanted(tier="monthly"), KNOWN).point == AWAY
    alone = Listing((replace(AWAY, tier="daily"), NEW, point("later", -1, ready=False)), ())
    assert choose("prod", alone, Wanted(tier="daily"), KNOWN).point == NEW
    assert choose("prod", alone, Wanted(), KNOWN).point == NEW


def test_what_is_to_be_used_is_not_of_a_damaged_log_unless_asked_for_and_a_test_is_of_the_newest() -> None:
    hurt = point("hurt", -1, damaged="'ann' has 25 events, and 30 were sealed")
    listing = Listing((OLD, NEW, hurt), ())
    for wanted in (Wanted(), Wanted(tier="daily")):
        assert choose("prod", listing, wanted, KNOWN).point == NEW
        assert choose("prod", listing, replace(wanted, test=True), KNOWN).point == hurt
    assert choose("prod", listing, Wanted(point="hurt"), KNOWN).point == hurt


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Wanted(point="none"), "there is no recovery point none; us-east-1 does not answer"),
        (Wanted(point="later"), "later is not ready"),
        (Wanted(tier="weekly"), "no recovery point of the tier weekly"),
    ],
)
def test_a_point_that_cannot_be_restored_is_none(wanted: Wanted, says: str) -> None:
    listing = Listing((point("later", -1, ready=False),), (WINDOW,), {"us-east-1": "it is down"})
    with pytest.raises(NoPoint, match=says):
        choose("prod", listing, wanted, KNOWN)


def test_without_continuous_backups_no_time_can_be_restored() -> None:
    for wanted in (Wanted(at=at(-1)), Wanted(tier="continuous")):
        with pytest.raises(OutOfReach) as error:
            choose("prod", Listing((NEW,), ()), wanted, KNOWN)
        assert error.value.nearest is None
    with pytest.raises(OutOfReach, match="only just begun"):
        choose("prod", Listing((), (Window("db", "1", at(0, 0.2), at(0, 0.7)),)), Wanted(), KNOWN)


def test_the_plan_says_what_is_lost_and_a_test_is_not_protected() -> None:
    settings = {"DeletionProtection": True, "BackupRetentionPeriod": 30, "VpcSecurityGroupIds": ["a", "b"]}
    around = Around("prod", "id", "prod-restore-1", 80, settings, 700.0)
    found = plan(choose("prod", LISTING, Wanted(at=at(-2)), KNOWN), around, test=False)
    assert (found.lost_since, found.lost_events, found.last_seconds) == (at(-2), 30, 700.0)
    assert found.settings == {
        "DeletionProtection": "True", "BackupRetentionPeriod": "30", "VpcSecurityGroupIds": "a, b",
    }  # fmt: skip
    tested = plan(choose("prod", LISTING, Wanted(point="old"), KNOWN), around, test=True)
    assert (tested.settings["DeletionProtection"], tested.settings["BackupRetentionPeriod"]) == ("False", "0")
    assert (tested.point, tested.lost_since, tested.seal, tested.lost_events) == ("old", at(-100), None, None)
