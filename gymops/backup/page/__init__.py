"""An audit as one page that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import escape
from importlib.resources import files

from gymops.backup.audit import Audit, Standing
from gymops.backup.evidence import Result, Trial
from gymops.backup.findings import Finding, Kind, day, volume
from gymops.backup.page import pictures
from gymops.backup.schedule import spelled
from gymops.backup.slots import words

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_MILD = frozenset({Kind.LATE, Kind.SKIPPED, Kind.BEYOND, Kind.NO_ENTRY, Kind.STALE, Kind.UNTESTED})
_CURVE = 3
"""Fewer backups make no curve."""


def page(audit: Audit) -> str:
    """The whole document."""
    style = files("gymops.backup.page").joinpath("style.css").read_text(encoding="utf-8")
    parts = (_head, _numbers, _findings, _tiers, _lower, _proof, _foot)
    body = "\n".join(part(audit) for part in parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>Backups of {escape(audit.environment)}</title>\n<style>\n{style}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _head(audit: Audit) -> str:
    count = len(audit.findings)
    verdict, kind = ("every backup is there", "good") if not count else (_count(count, "finding"), "bad")
    return (
        f"<header><div><h1>Backups of {escape(audit.environment)}</h1>"
        f'<p class="soft">audited {day(audit.at)}</p></div><p class="verdict {kind}">{verdict}</p></header>'
    )


def _numbers(audit: Audit) -> str:
    rate = audit.success_rate
    proof = next(iter(audit.tests), None)
    newest = audit.newest
    cells = [
        (
            "backups taken",
            "none" if rate is None else f"{rate:.1%}".replace("100.0%", "100%"),
            f"{audit.taken} of {audit.expected} that were due"
            if audit.expected
            else "the first is still to come",
        ),
        (
            "restorable up to",
            f"{words(audit.at - newest)} ago" if newest else "none",
            day(newest) if newest else "nothing is backed up",
        ),
        (
            "last restore-test",
            f"{proof.result}" if proof else "never",
            f"{words(audit.at - proof.began)} ago" if proof else "nothing is proved",
        ),
        _slowest(audit),
    ]
    shown = "".join(
        f'<div class="card"><p class="soft">{name}</p><b>{escape(value)}</b>'
        f'<p class="soft">{escape(more)}</p></div>'
        for name, value, more in cells
    )
    return f'<div class="numbers">{shown}</div>'


def _slowest(audit: Audit) -> tuple[str, str, str]:
    """The restore that came nearest to its target, or went farthest past it."""
    name = "slowest restore"
    worst, said = 0.0, ("none yet", "nothing is measured")
    for one in audit.standings:
        seconds = one.tested.rto_seconds if one.tested else None
        if one.tier.rto is not None and seconds is not None:
            share = seconds / one.tier.rto.total_seconds()
            if share >= worst:
                worst = share
                said = words(timedelta(seconds=seconds)), f"{one.tier.name}, target {spelled(one.tier.rto)}"
    return name, *said


def _findings(audit: Audit) -> str:
    if not audit.findings:
        return ""
    items = "".join(_finding(row) for row in grouped(audit.findings))
    return (
        f'<section class="card"><h2>Findings, and what to do</h2><ul class="findings">{items}</ul></section>'
    )


def grouped(findings: Sequence[Finding]) -> Iterator[Sequence[Finding]]:
    """Those that say the same of one tier, together: the newest first."""
    rows: dict[tuple[Kind, str | None, str, str], list[Finding]] = {}
    for one in findings:
        rows.setdefault((one.kind, one.tier, one.what, one.next), []).append(one)
    yield from rows.values()


def _finding(row: Sequence[Finding]) -> str:
    one = row[0]
    mild = " mild" if one.kind in _MILD else ""
    when = day(one.when) if len(row) == 1 else f"{len(row)} times, {day(row[-1].when)} to {day(one.when)}"
    point = f" &middot; <code>{escape(one.point)}</code>" if one.point and len(row) == 1 else ""
    return (
        f'<li><div><span class="kind{mild}">{one.kind.value.replace("-", " ")}</span>'
        f'<p class="soft">{escape(one.tier or "")}</p></div><div class="what">{escape(one.what)}'
        f'<p class="soft">{when}{point}</p><code class="fix">{escape(one.next)}</code></div></li>'
    )


def _tiers(audit: Audit) -> str:
    rows = "".join(_tier(audit, one) for one in audit.standings)
    legend = "".join(pictures.legend(audit.slots))
    shown = f'<p class="legend soft">{legend}</p>' if legend else ""
    return f'<section class="card"><h2>Tiers over time</h2>{rows}{shown}</section>'


def _tier(audit: Audit, one: Standing) -> str:
    tier = one.tier
    row = [slot for slot in audit.slots if slot.tier == tier.name]
    plan = tier.schedule.text if tier.schedule else "always"
    copy = f", copied to {tier.copy}" if tier.copy else ""
    said = escape(f"{plan}, {spelled(tier.keep)}{copy}")
    head = f'<div><b>{escape(tier.name)}</b><p class="soft">{said}</p></div>'
    if tier.schedule is None and audit.windows:
        since = pictures.since(audit.windows, tier.keep, audit.at)
        drawn = pictures.spans(audit.windows, since, audit.at) + _ends(since, audit.at)
        return f'<div class="tier">{head}<div>{drawn}</div></div>'
    if row:
        ends = _ends(row[0].due, row[-1].due, f"{one.taken} of {one.expected}")
        return f'<div class="tier">{head}<div>{pictures.marks(row)}{ends}</div></div>'
    what = "nothing is received" if tier.schedule is None else "none was due yet"
    return f'<div class="tier">{head}<p class="soft">{what}</p></div>'


def _ends(first: datetime, last: datetime, middle: str = "") -> str:
    row = f"<span>{first:%d %b %Y}</span><span>{middle}</span><span>{last:%d %b %Y}</span>"
    return f'<p class="soft ends">{row}</p>'


def _lower(audit: Audit) -> str:
    both = (f'<div class="card">{one}</div>' for one in (_targets(audit), _sizes(audit)))
    return f'<section class="two">{"".join(both)}</section>'


def _targets(audit: Audit) -> str:
    rows = ""
    for name, what in (("rto", "Time to restore and prove"), ("rpo", "What is lost")):
        for one in audit.standings:
            rows += _target(one, name, what)
    none = '<p class="soft">No restore-test was run yet, so nothing is measured.</p>'
    return f"<h2>RTO and RPO against target</h2>{rows or none}"


def _target(one: Standing, name: str, what: str) -> str:
    target: timedelta | None = getattr(one.tier, name)
    measured: float | None = getattr(one.tested, f"{name}_seconds") if one.tested else None
    if target is None or measured is None:
        return ""
    said = f"{words(timedelta(seconds=measured))} of {spelled(target)}"
    drawn = pictures.against(measured, target.total_seconds())
    return (
        f'<div class="target"><div><span><b>{name.upper()}</b> {escape(one.tier.name)}</span>'
        f'<span class="soft" title="{what}">{said}</span></div>{drawn}</div>'
    )


def _sizes(audit: Audit) -> str:
    drawn = ""
    for one in audit.standings:
        row = [(slot.due, slot.size) for slot in audit.slots if slot.tier == one.tier.name and slot.size]
        if len(row) >= _CURVE:
            drawn += _size(one.tier.name, row)
    none = '<p class="soft">There are too few backups for a curve yet.</p>'
    return f"<h2>Size over time</h2>{drawn or none}"


def _size(name: str, row: Sequence[tuple[datetime, int]]) -> str:
    first, last = (f"{at:%d %b}: {volume(size)}" for at, size in (row[0], row[-1]))
    named = f"<span>{first}</span><span>{escape(name)}</span><span>{last}</span>"
    return f'<div class="sizes">{pictures.sizes(row)}<p class="named soft">{named}</p></div>'


def _proof(audit: Audit) -> str:
    if not audit.tests:
        return ""
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in _proved(audit.tests[0]) if value)
    return f'<section class="card"><h2>Last restore-test</h2><dl>{rows}</dl></section>'


def _proved(one: Trial) -> Iterator[tuple[str, str]]:
    kind = "" if one.result is Result.PASSED else ' class="kind"'
    yield "result", f"<span{kind}>{one.result}</span>"
    yield "began", day(one.began)
    yield "tier", escape(one.tier or "the latest time")
    yield "recovery point", f"<code>{escape(one.point)}</code>" if one.point else ""
    yield "events proved", f"{one.events:,}" if one.events is not None else ""
    yield "digest", f"<code>{escape(one.digest)}</code>" if one.digest else ""
    yield "time to restore", words(timedelta(seconds=one.rto_seconds)) if one.rto_seconds is not None else ""
    yield "lost", words(timedelta(seconds=one.rpo_seconds)) if one.rpo_seconds is not None else ""
    yield "said", escape(one.message)


def _foot(audit: Audit) -> str:
    command = escape(f"gymops audit {audit.environment} --html FILE")
    return f'<footer class="soft">Made by <code>{command}</code>. All times are UTC.</footer>'


def _count(number: int, of: str) -> str:
    return f"{number} {of}{'' if number == 1 else 's'}"
