"""What is known of a log that is damaged: since when, until when, and the way back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gymops.backup.evidence import Damaged, Job, State
from gymops.backup.managed.known import way_back
from gymops.backup.port import Listing, Point, Window
from gymops.eventlog.digest import Rejected
from gymops.eventlog.seal import Seal
from tests.unit.backup.managed.rows import known
from tests.unit.backup.points import point
from tests.unit.clocks import START

HOUR = timedelta(hours=1)
SEAL = Seal("prod", 1, START + 0.25 * timedelta(seconds=1), "7", "0/1", "", 3, "h", Rejected())
GOOD = Point("good", "aws-backup", "daily", START, 1, True, True, "us-west-1/vault", ready=True)
HURT = replace(GOOD, id="hurt", taken=START + HOUR, damaged="why")
WINDOW = Window("db", "db-1", START - HOUR, START + HOUR)
SEEN = Job("daily", START + HOUR, State.UNSEALED, message="why")


def test_the_way_back_is_the_second_that_ends_with_the_last_seal() -> None:
    at = f"{START + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    listing = Listing((GOOD, HURT), (WINDOW,))
    assert way_back("prod", listing, SEAL) == f"gymops restore prod --at {at} --to NEW"
    whole = replace(SEAL, taken=START)
    assert way_back("prod", listing, whole) == f"gymops restore prod --at {START:%Y-%m-%dT%H:%M:%SZ} --to NEW"


def test_without_that_time_it_is_the_newest_good_point_and_without_one_the_list() -> None:
    earlier = replace(WINDOW, latest=START)
    assert (
        way_back("prod", Listing((GOOD, HURT), (earlier,)), SEAL)
        == "gymops restore prod --from good --to NEW"
    )
    for listing in (Listing((HURT, replace(GOOD, ready=False)), ()), Listing((), (WINDOW,))):
        assert way_back("prod", listing, None) == "gymops backups prod"


def test_it_is_damaged_since_it_was_seen_and_until_it_is_sealed_or_backed_up_well_again() -> None:
    listing, now = Listing((GOOD, HURT), ()), START + 5 * HOUR
    again = replace(SEEN, began=START + 2 * HOUR, message="more")
    damaged = Damaged(SEEN.began, "more", "gymops restore prod --from good --to NEW")
    assert known([SEAL], jobs=[SEEN, again]).still_damaged("prod", listing, now) == damaged
    assert known([SEAL], jobs=[]).still_damaged("prod", listing, now) is None
    sealed = replace(SEAL, number=2, taken=START + 3 * HOUR)
    assert known([SEAL, sealed], jobs=[SEEN, again]).still_damaged("prod", listing, now) is None
    well = point(START + 3 * HOUR)
    assert known([SEAL], jobs=[SEEN, again], points=[well]).still_damaged("prod", listing, now) is None
    worse = replace(well, damaged="why")
    assert known([SEAL], jobs=[SEEN, again], points=[worse]).still_damaged("prod", listing, now) == damaged
