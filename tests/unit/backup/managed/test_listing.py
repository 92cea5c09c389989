"""Which seal a point of AWS Backup must bring back: by its time, or by that of what it was copied from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from gymops.aws.databases import Databases
from gymops.aws.vaults import VaultPoint, Vaults
from gymops.backup.managed.listing import Known, look
from gymops.backup.managed.places import Places
from gymops.backup.port import Point
from gymops.backup.recovery_point import Kind, sealed_at
from gymops.eventlog.digest import Rejected
from gymops.eventlog.seal import Seal
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

    def automated(self, instance: str) -> list[Any]:
        return []


def held(name: str, at: datetime, region: str = "us-west-1", tier: str = "monthly") -> VaultPoint:
    arn = f"arn:aws:rds:{region}:123456789012:snapshot:awsbackup:{name}"
    return VaultPoint(arn, "vault", ARN, "COMPLETED", at, 1, True, True, None, {"tier": tier})


def seal(number: int, taken: datetime) -> Seal:
    return Seal(
        environment="prod", number=number, taken=taken, system="7", lsn="0/1", previous="",
        rejected=Rejected(), head="h", events=number,
    )  # fmt: skip


def listed(here: Sequence[VaultPoint], away: Sequence[VaultPoint], *ours: Any) -> dict[str, Point]:
    """What is listed, with a seal at each hour."""
    seals = [seal(hour, START + hour * HOUR) for hour in range(1, 60)]
    found = look(
        Places("gym", "vault", copies=COPIES), ARN, cast("Databases", Asked("us-west-1")),
        cast("Vaults", Asked("us-west-1", here)), cast("Vaults", Asked("us-east-1", away)),
        Known(ours, seals),
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


@pytest.mark.parametrize("known", [True, False])
def test_of_what_was_copied_back_only_our_record_says_what_it_holds(*, known: bool) -> None:
    name = "awsbackup:copyjob-1"
    record = point(
        START, id=name, kind=Kind.VAULT, tier="copied-back", files=(), seal=sealed_at(seal(3, START))
    )
    found = listed([held("copyjob-1", START + 42 * HOUR)], [], *([record] if known else []))["copyjob-1"]
    if known:
        assert (number(found), found.tier, found.taken) == (3, "copied-back", record.began)
    else:
        assert (number(found), found.tier) == (None, "monthly")
