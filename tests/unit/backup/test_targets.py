"""Which seal a recovery passes last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gymops.backup.recovery_point import sealed_at
from gymops.backup.targets import Behind, passed
from gymops.eventlog.seal import GoesOn, Seal
from tests.unit.backup.growing import seals
from tests.unit.backup.points import point

ROW = seals(5)
POINT = point(seal=sealed_at(ROW[1]))
FAR = 0xFFFF


def behind(row: Sequence[Seal]) -> Behind:
    """Those from one on; none, if that one went."""
    return lambda number: [one for one in row if one.number >= number] if row[0].number <= number else []


def test_the_last_one_up_to_a_place_and_a_time() -> None:
    assert passed(POINT, behind(ROW), FAR) == sealed_at(ROW[4])
    assert passed(POINT, behind(ROW), 4) == sealed_at(ROW[3])
    assert passed(POINT, behind(ROW), FAR, by=ROW[2].taken) == sealed_at(ROW[2])


def test_never_less_than_the_point_s_own() -> None:
    assert passed(POINT, behind(ROW), 0) == POINT.seal
    assert passed(point(seal=None), behind(ROW), 0) is None


def test_none_of_a_history_that_began_when_the_database_was_put_back() -> None:
    put_back = replace(ROW[3], lsn="0/2", goes_on=GoesOn(2, ROW[1].digest, "x"))
    assert passed(POINT, behind([*ROW[:3], put_back, ROW[4]]), FAR) == sealed_at(ROW[2])
    # What was taken of that history passes its seals.
    assert passed(point(seal=sealed_at(put_back)), behind([*ROW[:3], put_back, ROW[4]]), FAR) == sealed_at(
        ROW[4]
    )


def test_none_of_another_server() -> None:
    other = replace(ROW[3], system="8")
    assert passed(POINT, behind([*ROW[:3], other, ROW[4]]), FAR) == sealed_at(ROW[2])


def test_an_old_point_whose_seals_went_has_its_own() -> None:
    assert passed(POINT, behind(ROW[3:]), FAR) == POINT.seal
