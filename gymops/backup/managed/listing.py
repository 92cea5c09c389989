"""Everything an environment's database can be restored from, in one list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from gymops.aws.databases import Automated, Databases
from gymops.aws.instances import Snapshot
from gymops.aws.vaults import VaultPoint, Vaults
from gymops.backup.managed.known import Known
from gymops.backup.managed.places import Places
from gymops.backup.port import Listing, Point, Window
from gymops.errors import GymopsError

TIER = "tier"
"""The tag that says for which tier something was taken; AWS Backup's rules write it too."""
KEEP_UNTIL = "gymops:keep-until"
ENVIRONMENT = "gymops:environment"
_GB = 1 << 30
_CLOCKS = timedelta(minutes=1)
"""How far AWS's clock and the database's may be apart: of what others took, only our seals from before that
are expected to be in it.
"""
_COPYING = timedelta(days=1)
"""How long a copy to another region may take."""
_READY = frozenset({"COMPLETED", "AVAILABLE"})
T = TypeVar("T")


def look(
    places: Places,
    arn: str,
    databases: Databases,
    vaults: Vaults,
    copies: Vaults | None,
    known: Known,
) -> Listing:
    """Ask everywhere. Another region that does not answer, or a vault that nobody may look into (as AWS says
    of one that is gone, too), leaves the rest as it is, and is told.

    Raises:
        AwsError: the environment's own region does not answer.
    """
    silent: dict[str, str] = {}
    taken = databases.snapshots(places.instance)
    points = [_of_snapshot(one, one.taken, databases.region) for one in taken if one.taken]
    if name := places.vault:
        here = _if_answered(name, silent, lambda: vaults.points(name, arn), away=False)
        points += [_of_vault(one, vaults.region) for one in here]
    if copies is not None:
        there = _if_answered(
            copies.region, silent, lambda: copies.points(places.copies_vault, arn), away=True
        )
        points += [_of_vault(one, copies.region, away=True) for one in there]
    windows = [one for one in map(_window, databases.automated(places.instance)) if one is not None]
    windows += _aside(places.instance, databases, known)
    windows.sort(key=lambda one: (one.gone, -one.latest.timestamp()))
    own = [one for one in points if one.kind == "aws-backup" and not _copied(one)]
    found = sorted((_with(point, known, own) for point in points), key=lambda one: (one.taken, one.id))
    return Listing(tuple(found), tuple(windows), silent)


def point_id(arn: str, region: str, *, away: bool = False) -> str:
    """What people call a point: the name of the snapshot that it is; before one elsewhere, the region."""
    name = arn.partition(":snapshot:")[2] or arn
    return f"{region}/{name}" if away else name


def _if_answered(where: str, silent: dict[str, str], ask: Callable[[], list[T]], *, away: bool) -> list[T]:
    try:
        return ask()
    except GymopsError as error:
        if error.unknown and not away:
            raise
        silent[where] = error.message
        return []


def _of_snapshot(one: Snapshot, taken: datetime, region: str) -> Point:
    until = one.tags.get(KEEP_UNTIL)
    return Point(
        id=one.name,
        kind="automated" if one.kind == "automated" else "snapshot",
        tier=one.tags.get(TIER),
        taken=taken,
        size=one.gigabytes * _GB,
        encrypted=one.encrypted,
        locked=False,
        where=region,
        ready=one.ready,
        keep_until=datetime.fromisoformat(until) if until else None,
    )


def _of_vault(one: VaultPoint, region: str, *, away: bool = False) -> Point:
    return Point(
        id=point_id(one.arn, region, away=away),
        kind="copy" if away else "aws-backup",
        tier=one.tags.get(TIER),
        taken=one.begun,
        size=one.bytes,
        encrypted=one.encrypted,
        locked=one.locked,
        where=f"{region}/{one.vault}",
        ready=one.status in _READY,
        keep_until=one.delete_at,
    )


def _window(one: Automated) -> Window | None:
    if one.earliest is None or one.latest is None:
        return None
    return Window(one.instance, one.resource, one.earliest, one.latest, one.status == "retained")


def aside(name: str, restore: str) -> str:
    """What an instance is called whose place a restored one took."""
    return f"{name[:50]}-before-{restore[-6:]}".lower()


def _aside(name: str, databases: Databases, known: Known) -> Iterator[Window]:
    """Of those that were set aside, the times up to when: what came then is the restored one's. Where there
    is none, no seal is asked.
    """
    there: dict[str, list[Window]] = {}
    for one in databases.automated():
        if one.instance.startswith(aside(name, "")) and (found := _window(one)):
            there.setdefault(one.instance, []).append(found)
    for seal in known.back() if there else ():
        for window in there.pop(aside(name, seal.goes_on.restore), ()) if seal.goes_on else ():
            if window.earliest < seal.taken:
                yield replace(window, latest=min(window.latest, seal.taken), gone=True, aside=True)
        if not there:
            return


def _with(point: Point, known: Known, own: Sequence[Point]) -> Point:
    """What we wrote down when it was taken says which seal it holds, and whether the log was damaged; of
    others, their time does.
    """
    point = replace(point, verified=known.verified.get(point.id))
    for ours in known.points:
        if ours.id == point.id:
            return replace(point, tier=ours.tier, taken=ours.began, seal=ours.seal, damaged=ours.damaged)
    return _held(point, known, own)


def _held(point: Point, known: Known, own: Sequence[Point]) -> Point:
    """A copy says when it was copied, and holds what was sealed before it was taken: as the newest point of
    its tier from before, or else a day ago. Of one that was copied back, and not by us, nobody knows.
    """
    if not _copied(point):
        seal = known.sealed(point.taken - _CLOCKS)
        return replace(point, seal=seal, damaged=known.damaged(point.taken, seal))
    if point.kind != "copy":
        return point
    before = [one for one in own if one.tier == point.tier and one.taken <= point.taken]
    if not before:
        seal = known.sealed(point.taken - _COPYING)
        return replace(point, seal=seal, damaged=known.damaged(point.taken - _COPYING, seal))
    original = _with(max(before, key=lambda one: one.taken), known, own)
    return replace(point, seal=original.seal, damaged=original.damaged)


def _copied(point: Point) -> bool:
    """Whether AWS Backup copied it from another vault: it says so by the snapshot's name only."""
    return "awsbackup:copyjob-" in point.id
