"""Which seal a point of AWS Backup must bring back: by its time, or by that of what it was copied from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from gymops.aws.databases import Databases
from gymops.aws.vaults import VaultPoint, Vaults
from gymops.backup.evidence import Job, State
from gymops.backup.managed.listing import look
from gymops.backup.managed.places import Places
from gymops.backup.port import Point
from gymops.backup.recovery_point import Kind, sealed_at
from gymops.eventlog.digest import Rejected
from gymops.eventlog.seal import Seal
from tests.unit.backup.managed.rows import known
from tests.unit.backup.points import point
from tests.unit.clocks import START

ARN = "arn:aws:rds:us-west-1:123456789012:db:gym"
COPIES = "arn:aws:backup:us-east-1:123456789012:backup-vault:copies"
HOUR = timedelta(hours=1)


class Asked:
    """Vaults and databases that hold what they are told to."""

    def __init__(self, region: str, points: Sequence[VaultPoint] = ()) -> None:
        self.region, self._points = region, list(points)

    def points(self, vault: str, resource: str) -> list[VaultPoint]:
        return self._points

    def snapshots(self, instance: str) -> list[Any]:
        return []

    def automated(self, instance: str | None = None) -> list[Any]:
        return []


def held(name: str, at: datetime, region: str = "us-west-1", tier: str = "monthly") -> VaultPoint:
    arn = f"arn:aws:rds:{region}:123456789012:snapshot:awsbackup:{name}"
    return VaultPoint(arn, "vault", ARN, "COMPLETED", at, 1, True, True, None, {"tier": tier})


def seal(number: int, taken: datetime) -> Seal:
    return Seal(
        environment="prod", number=number, taken=taken, system="7", lsn="0/1", previous="",
        rejected=Rejected(), head="h", events=number,
    )  # fmt: skip


def listed(
    here: Sequence[VaultPoint],
    away: Sequence[VaultPoint],
    *ours: Any,
    jobs: Sequence[Job] = (),
    upto: datetime = START + 60 * HOUR,
) -> dict[str, Point]:
    """What is listed, with a seal at each hour."""
    seals = [seal(hour, START + hour * HOUR) for hour in range(1, 60) if START + hour * HOUR <= upto]
    found = look(
        Places("gym", "vault", copies=COPIES), ARN, cast("Databases", Asked("us-west-1")),
        cast("Vaults", Asked("us-west-1", here)), cast("Vaults", Asked("us-east-1", away)),
        known(seals, points=ours, jobs=jobs),
    )  # fmt: skip
    return {one.id.rpartition(":")[2]: one for one in found.points}


def number(found: Point) -> int | None:
    return found.seal.number if found.seal else None


def test_a_point_holds_what_was_sealed_a_minute_before_it() -> None:
    found = listed([held("job-1", START + 5 * HOUR), held("job-2", START + 5.5 * HOUR)], [])
    assert (number(found["job-1"]), number(found["job-2"])) == (4, 5)


def test_a_copy_holds_what_its_original_does_and_not_what_was_sealed_since() -> None:
    originals = [
        held("job-1", START + 5.5 * HOUR), held("job-2", START + 40.5 * HOUR),
        held("job-3", START + 6.5 * HOUR, tier="daily"),
    ]  # fmt: skip
    copies = [held(f"copyjob-{at}", START + at * HOUR, "us-east-1") for at in (9, 42, 4)]
    found = listed(originals, copies)
    assert number(found["copyjob-9"]) == 5
    assert number(found["copyjob-42"]) == 40
    assert number(found["copyjob-4"]) is None, "no original, and nothing was sealed a day before"


def test_a_copy_whose_original_is_gone_holds_what_was_sealed_a_day_before() -> None:
    assert number(listed([], [held("copyjob-1", START + 42 * HOUR, "us-east-1")])["copyjob-1"]) == 18


@pytest.mark.parametrize("recorded", [True, False])
def test_of_what_was_copied_back_only_our_record_says_what_it_holds(*, recorded: bool) -> None:
    name = "awsbackup:copyjob-1"
    record = point(
        START, id=name, kind=Kind.VAULT, tier="copied-back", files=(), seal=sealed_at(seal(3, START))
    )
    found = listed([held("copyjob-1", START + 42 * HOUR)], [], *([record] if recorded else []))["copyjob-1"]
    if recorded:
        assert (number(found), found.tier, found.taken) == (3, "copied-back", record.began)
    else:
        assert (number(found), found.tier) == (None, "monthly")


def test_what_was_taken_since_the_log_is_damaged_is_so_too_until_it_is_sealed_again() -> None:
    """By whomever: AWS Backup's own plan knows nothing of it, and a copy is as its original."""
    why = "'ann' has 25 events, and 30 were sealed"
    seen = Job("continuous", START + 58.5 * HOUR, State.UNSEALED, message=why)
    hurt = Job("daily", START + 30.5 * HOUR, State.UNSEALED, message="mended since")
    here = [held(f"job-{at}", START + at * HOUR) for at in (30, 30.7, 58.4, 60, 61)]
    away = [
        held("copyjob-1", START + 62 * HOUR, "us-east-1"),
        held("copyjob-2", START + 59 * HOUR, "us-east-1"),
    ]
    seals_end = START + 58 * HOUR
    found = listed(here, away, jobs=[hurt, seen], upto=seals_end)
    said = {name: one.damaged for name, one in found.items()}
    assert said == {
        "job-30": None, "job-30.7": "mended since", "job-58.4": None, "job-60": why, "job-61": why,
        "copyjob-1": why, "copyjob-2": None,
    }  # fmt: skip


def test_what_is_written_down_says_itself_whether_it_is_of_a_damaged_log() -> None:
    made = point(START + 50 * HOUR, id="awsbackup:job-1", kind=Kind.VAULT, files=(), damaged="gone")
    mended = point(START + 51 * HOUR, id="awsbackup:job-2", kind=Kind.VAULT, files=())
    found = listed([held(f"job-{n}", START + (49 + n) * HOUR) for n in (1, 2)], [], made, mended)
    assert (found["job-1"].damaged, found["job-2"].damaged) == ("gone", None)
