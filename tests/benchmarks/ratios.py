"""Figures that are told as ratios to one of them, as Markdown."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from statistics import median

QUIET = 0.5
"""The load average below which nothing else is at work."""


def table(what: str, measured: Mapping[str, Sequence[float]], base: str) -> list[str]:
    """Milliseconds of each, of which ``base`` is 1."""
    unit = median(measured[base])
    lines = [f"| {what} | median ms | range | ratio |", "|---|---|---|---|"]
    for name, runs in measured.items():
        milliseconds = [1000 * one for one in runs]
        lines.append(
            f"| {name} | {median(milliseconds):.0f} | {min(milliseconds):.0f}-{max(milliseconds):.0f} |"
            f" {median(runs) / unit:.2f} |"
        )
    return lines


def goal(ratio: float, most: float, base: str) -> str:
    """Whether a ratio is as small as it should be."""
    return f"- {'met' if ratio <= most else 'NOT met'}: at most {most} x {base} ({ratio:.2f} x)"


def load() -> float:
    """The load average of the last minute; to be taken before anything is measured."""
    return os.getloadavg()[0]


def told(before: float) -> str:
    """How far the machine was free for the measuring."""
    busy = "" if before < QUIET else " (the machine was busy with something else: do not trust these)"
    return f"Load average before: {before:.1f}{busy}."
