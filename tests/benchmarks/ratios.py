"""Figures that are told as ratios to one of them, as Markdown."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

T = TypeVar("T")

QUIET = 0.5
"""The load average below which nothing else is at work."""


def in_turns(candidates: Mapping[str, T], seconds: Callable[[T], float], runs: int) -> dict[str, list[float]]:
    """What each takes, so many times; none is always the first after another."""
    for one in candidates.values():
        seconds(one)  # its files are in the cache from now on
    measured: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(runs):
        for name, one in candidates.items():
            measured[name].append(seconds(one))
    return measured


def clean_environ() -> dict[str, str]:
    """The environment without what would be a setting of gymops or of AWS."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("GYMOPS_", "AWS_"))}


def report(
    what: str, measured: Mapping[str, Sequence[float]], base: str, ours: str, most: float, before: float
) -> str:
    """The figures as Markdown, and whether the goal was met; ``before`` is the load before them."""
    ratio = median(measured[ours]) / median(measured[base])
    return "\n".join([*table(what, measured, base), "", goal(ratio, most, base), "", told(before)])


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
