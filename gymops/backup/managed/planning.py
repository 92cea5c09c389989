"""What a restore would do: decided from what is listed, and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gymops.backup.managed.known import Known
from gymops.backup.port import Listing, OutOfReach, Point, RestorePlan, Wanted, Window
from gymops.backup.recovery_point import NoPoint, SealedAt, sealed_at
from gymops.eventlog.seal import standing

CONTINUOUS = "continuous"
"""The tier that restores any time: RDS's automated backups."""

# A test archives nothing, and goes again.
_OF_A_TEST: Mapping[str, Any] = {"DeletionProtection": False, "BackupRetentionPeriod": 0}


@dataclass(frozen=True)
class Chosen:
    """From where, and up to when."""

    source: str
    point: Point | None = None
    at: datetime | None = None
    """Whole seconds, as RDS takes them."""
    window: Window | None = None
    seal: SealedAt | None = None


@dataclass(frozen=True)
class Around:
    """What a plan also says."""

    environment: str
    id: str
    to: str
    events: int | None = None
    """Of the newest seal."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    last_seconds: float | None = None


def choose(environment: str, listing: Listing, wanted: Wanted, known: Known) -> Chosen:
    """What is restored for what is wanted.

    Raises:
        OutOfReach: no backup covers the time.
        NoPoint: there is no such point, or none at all.
    """
    if wanted.point is not None:
        return _point(environment, listing, wanted.point)
    if wanted.tier not in (None, CONTINUOUS):
        return _newest(environment, listing, wanted)
    if wanted.at is None and not listing.windows and wanted.tier is None:
        return _newest(environment, listing, wanted)
    at = _whole(wanted.at) if wanted.at else None
    for window in listing.windows:
        when = at or max(_whole(window.latest), _whole_up(window.earliest))
        if window.earliest <= when <= window.latest:
            return Chosen(window.source, None, when, window, _sealed(known, window, when))
    raise _out_of_reach(environment, listing, at)


def plan(chosen: Chosen, around: Around, *, test: bool) -> RestorePlan:
    """What would be done."""
    since = chosen.at or (chosen.point.taken if chosen.point else datetime.min.replace(tzinfo=UTC))
    held = chosen.seal.events if chosen.seal else None
    settings = with_test(around.settings) if test else around.settings
    return RestorePlan(
        id=around.id,
        environment=around.environment,
        source=chosen.source,
        point=chosen.point.id if chosen.point else None,
        at=chosen.at,
        to=around.to,
        seal=chosen.seal,
        last_seconds=around.last_seconds,
        lost_since=since,
        lost_events=around.events - held if around.events is not None and held is not None else None,
        test=test,
        settings={name: _shown(value) for name, value in sorted(settings.items())},
    )


def with_test(settings: Mapping[str, Any]) -> dict[str, Any]:
    """With which settings a test restores."""
    return {**settings, **_OF_A_TEST}


def _point(environment: str, listing: Listing, wanted: str) -> Chosen:
    found = next((point for point in listing.points if point.id == wanted), None)
    if found is None:
        raise NoPoint(
            f"there is no recovery point {wanted}{_silent(listing)}", hint=f"gymops backups {environment}"
        )
    if not found.ready:
        raise NoPoint(f"{wanted} is not ready to be restored", hint=f"gymops backups {environment}")
    return Chosen(found.where, found, None, None, found.seal)


def _sealed(known: Known, window: Window, at: datetime) -> SealedAt | None:
    """An instance that is there never saw what was sealed of a history that was given up."""
    if window.gone:
        return known.sealed(at)
    return next((sealed_at(one) for one in standing(known.back()) if one.taken <= at), None)


def _newest(environment: str, listing: Listing, wanted: Wanted) -> Chosen:
    """A test is of the newest one; what is to be used is not of a damaged log, unless it is asked for."""
    tier = wanted.tier
    found = [
        point
        for point in listing.points
        if point.ready and tier in (None, point.tier) and (wanted.test or point.damaged is None)
    ]
    if not found:
        what = f"no recovery point of the tier {tier}" if tier else "no recovery point"
        begin = f"gymops backup {environment}" + (f" --tier {tier}" if tier else "")
        raise NoPoint(f"there is {what}{_silent(listing)}", hint=begin)
    # Of those of one moment the copy in another region is the slower one.
    newest = max(found, key=lambda point: (point.taken, point.kind != "copy"))
    return Chosen(newest.where, newest, None, None, newest.seal)


def _silent(listing: Listing) -> str:
    return "".join(f"; {where} does not answer" for where in listing.silent)


def _out_of_reach(environment: str, listing: Listing, at: datetime | None) -> OutOfReach:
    if at is None and listing.windows:
        soon = _whole_up(listing.windows[0].earliest)
        return OutOfReach(
            f"continuous backups have only just begun, at {_text(soon)}",
            nearest=soon,
            hint="run the same again in a minute",
        )
    if at is None or not listing.windows:
        return OutOfReach(
            "nothing is backed up continuously",
            nearest=None,
            hint=f"gymops backups {environment} lists what can be restored with --from",
        )
    ends = [_whole_up(one.earliest) for one in listing.windows]
    ends += [_whole(one.latest) for one in listing.windows]
    nearest = min(ends, key=lambda end: abs(end - at))
    older = [one for one in listing.points if one.ready and one.damaged is None and one.taken <= at]
    hint = f"gymops restore {environment} --at {_text(nearest)}"
    if older and nearest > at:
        hint += f", or --from {older[-1].id} as it was at {_text(older[-1].taken)}"
    side = "before" if nearest > at else "after"
    return OutOfReach(
        f"{_text(at)} is {side} what can be restored: the nearest time is {_text(nearest)}",
        nearest=nearest,
        hint=hint,
    )


def _whole(moment: datetime) -> datetime:
    """Never later: what is committed in the second's rest is not asked for."""
    return moment.astimezone(UTC).replace(microsecond=0)


def _whole_up(moment: datetime) -> datetime:
    down = _whole(moment)
    return down if down == moment else down + timedelta(seconds=1)


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
