"""Pictures of an audit, as SVG that stands in the page; words are beside them, for those do not scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import escape

from gymops.backup.findings import day, volume
from gymops.backup.port import Window
from gymops.backup.slots import Mark, Slot

_CELL, _GAP = 20, 6
_FEWEST = 30
"""Marks that there is room for at least, so that those of all tiers are of one size."""
_TARGET = 0.7
"""How far to the right a target stands."""

SAID = {
    Mark.GOOD: "in time",
    Mark.LATE: "late",
    Mark.FAILED: "failed",
    Mark.MISSING: "missing",
    Mark.SKIPPED: "database stopped",
    Mark.OPEN: "under way",
}


def marks(row: Sequence[Slot]) -> str:
    """One mark for each time a tier was due."""
    width = max(len(row), _FEWEST) * (_CELL + _GAP) - _GAP
    step = (width - _CELL) / max(len(row) - 1, 1)
    drawn = "".join(
        f'<g transform="translate({number * step:.1f} 2)"><title>{escape(_title(slot))}</title>'
        f"{mark(slot.mark)}</g>"
        for number, slot in enumerate(row)
    )
    return (
        f'<svg viewBox="0 0 {width} {_CELL + 4}" role="img" aria-label="{escape(_spoken(row))}">{drawn}</svg>'
    )


def mark(of: Mark) -> str:
    """It is told by its shape as well as by its colour."""
    full = f'<rect width="{_CELL}" height="{_CELL}" rx="4" class="'
    hollow = f'<rect x="1" y="1" width="{_CELL - 2}" height="{_CELL - 2}" rx="4" class="'
    return {
        Mark.GOOD: f'{full}f-good"/>',
        Mark.LATE: f'{full}f-late"/><path class="s-card" d="M10 5v5.5l3.5 2.5"/>',
        Mark.FAILED: f'{full}f-bad"/><path class="s-card" d="M6.5 6.5l7 7m0-7l-7 7"/>',
        Mark.MISSING: f'{hollow}s-bad" stroke-dasharray="4 3"/>',
        Mark.SKIPPED: f'{full}f-track"/><path class="s-idle" d="M7.5 6v8m5-8v8"/>',
        Mark.OPEN: f'{hollow}s-idle"/>',
    }[of]


def spans(windows: Sequence[Window], since: datetime, until: datetime) -> str:
    """The times that can be restored."""
    whole = (until - since).total_seconds()
    bars = ""
    for window in windows:
        begin = max(0.0, (window.earliest - since).total_seconds() / whole)
        end = min(1.0, (window.latest - since).total_seconds() / whole)
        title = escape(f"any time from {day(window.earliest)} to {day(window.latest)}")
        bars += (
            f'<rect x="{begin * 1000:.1f}" y="4" width="{max(3.0, (end - begin) * 1000):.1f}" height="14"'
            f' rx="4" class="f-good"><title>{title}</title></rect>'
        )
    return (
        '<svg viewBox="0 0 1000 22" preserveAspectRatio="none" role="img" aria-label="times that can be'
        f' restored"><rect y="4" width="1000" height="14" rx="4" class="f-track"/>{bars}</svg>'
    )


def against(measured: float, target: float) -> str:
    """What was measured, and where the most of it stands."""
    share = measured / target * _TARGET
    kind = "f-good" if measured <= target else "f-bad"
    width, limit = max(6.0, min(1.0, share) * 600), _TARGET * 600
    return (
        '<svg viewBox="0 0 600 16" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect y="4" width="600" height="8" rx="4" class="f-track"/>'
        f'<rect y="4" width="{width:.1f}" height="8" rx="4" class="{kind}"/>'
        f'<line class="s-ink" x1="{limit}" x2="{limit}" y1="0" y2="16"/></svg>'
    )


def sizes(row: Sequence[tuple[datetime, int]]) -> str:
    """How large backups were, from nothing up to the largest."""
    first, last = row[0][0], row[-1][0]
    span = max((last - first).total_seconds(), 1.0)
    most = max(size for _, size in row) * 1.12 or 1.0
    points = [((at - first).total_seconds() / span * 600, 120 - size / most * 120) for at, size in row]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    titles = "".join(_hover(at, size, x) for (at, size), (x, _) in zip(row, points, strict=True))
    return (
        f'<svg viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-label="sizes, the largest'
        f' {volume(max(size for _, size in row))}"><polygon class="area" points="0,120 {line} 600,120"/>'
        f'<polyline class="path" points="{line}"/>{titles}</svg>'
    )


def _hover(at: datetime, size: int, x: float) -> str:
    said = escape(f"{day(at)}: {volume(size)}")
    return f'<rect x="{x - 4:.1f}" width="8" height="120" fill="transparent"><title>{said}</title></rect>'


def legend(row: Sequence[Slot]) -> Iterator[str]:
    """What the marks that there are mean."""
    there = {slot.mark for slot in row}
    for of, said in SAID.items():
        if of in there:
            yield f'<span><svg viewBox="0 0 {_CELL} {_CELL}" aria-hidden="true">{mark(of)}</svg>{said}</span>'


def _title(slot: Slot) -> str:
    size = f", {volume(slot.size)}" if slot.size is not None else ""
    why = f": {slot.message}" if slot.message else ""
    return f"{day(slot.due)}: {SAID[slot.mark]}{size}{why}"


def _spoken(row: Sequence[Slot]) -> str:
    counts = {said: sum(slot.mark is of for slot in row) for of, said in SAID.items()}
    return ", ".join(f"{count} {said}" for said, count in counts.items() if count)


def since(row: Sequence[Window], keep: timedelta, now: datetime) -> datetime:
    """Where a picture of the times begins: as long ago as they are kept, or as there are any."""
    oldest = min((window.earliest for window in row), default=now - keep)
    return max(now - keep, oldest - (now - oldest) / 50)
