"""The schema in a release: added to before the code that needs it serves, and taken away from only once no
release that one may return to needs it. It never goes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Any

from gymops.deploy.release.ledger import Release, kept, last_good, targets
from gymops.deploy.release.plan import Context
from gymops.deploy.verbs.app import App
from gymops.deploy.verbs.failures import NothingToReturnTo, WorkFailed
from gymops.deploy.verbs.site import Site

EXPAND = "expand"


@dataclass(frozen=True)
class Due:
    """What of the pending revisions is applied now, in runs of one phase, and what is left for later."""

    runs: tuple[tuple[str, ...], ...]
    waiting: tuple[str, ...] = ()
    """The contract that stops it, with what comes after it."""
    why: str = ""


def upgrade(
    site: Site, app: App, context: Context, releases: Sequence[Release], tested: str | None
) -> dict[str, Any] | None:
    """Bring the schema to what the release needs, by its own one-shot function, directly on the instance,
    and see that it is that; ``tested`` is the revision that a promoted release was tested with.

    Raises:
        WorkFailed: a revision could not be applied, leads elsewhere than where it was tested, or the schema
            is not what its revisions say.
    """
    function = app.outputs().get("DatabaseFunctionName")
    if not function:
        return None
    before = app.work(function, {"do": "schema-current"})
    pending = tuple(before["pending"])
    phases = _phases(app, function) if pending else {}
    needed_by = needing(releases, site.deployment.returns)
    due = _due(pending, phases, _stranger(context, releases), needed_by, tested)
    if due.runs:
        app.snapshot(context)
    for run in due.runs or ((),):
        done = app.work(function, _asked(phases[run[0]] if run else EXPAND, needed_by))
        for revision in done["applied"]:
            site.talk.say(f"schema revision {revision} applied")
    waiting = tuple(takewhile(lambda one: phases[one] != EXPAND, due.waiting))
    for revision in waiting:
        site.talk.say(f"schema revision {revision} waits: {due.why}")
    accepts = before["accepts"]["highest"]
    # A rollback leaves the database ahead of the code, by revisions that only add.
    reached = accepts if before["newer"] else done["current"]
    if tested and tested not in (reached, *waiting):
        raise WorkFailed(
            f"the schema is at {reached}, and the release was tested with {tested}",
            hint=f"{due.waiting[0]} waits: {due.why}"
            if due.waiting
            else f"bring {site.deployment.after} to the same revision, test there, promote again",
        )
    _verify(app, function, due)
    return {
        "before": before["current"],
        "after": reached,
        "applied": [one for run in due.runs for one in run],
        "accepts": accepts,
        "waiting": list(waiting),
    }


def by_command(app: App, context: Context, command: str, version: str) -> dict[str, Any]:
    """Have a service's own command bring the schema to what the version needs, as a task of that version.

    What it will do nobody can tell, so a protected database has its snapshot before it.

    Raises:
        WorkFailed: it did not end with 0.
    """
    app.snapshot(context)
    return {"command": command, "lines": app.command(version, command, context.token)}


def needing(releases: Sequence[Release], returns: int) -> list[Release]:
    """The releases that must go on working: what serves, and those one may always return to."""
    running = last_good(releases)
    return [running, *kept(releases, returns)] if running else []


def fit(site: Site, app: App, chosen: Release, releases: Sequence[Release]) -> list[str] | None:
    """The revisions that the database has; None where it cannot be asked.

    Raises:
        NothingToReturnTo: one of them took away what a release may need.
    """
    function = app.outputs().get("DatabaseFunctionName")
    if not function:
        return None
    try:
        listed = app.work(function, {"do": "schema-history"})["revisions"]
    except WorkFailed as error:
        # Whoever goes back may do so for this very reason; the code of then is asked before it serves.
        site.talk.say(f"what the schema lacks is not known: {error.message}")
        return None
    there = [(one["id"], one["phase"]) for one in listed if one["applied"]]
    if gone := _taken(chosen, there):
        others = {one.content: one for one in reversed(targets(releases)) if not _taken(one, there)}
        numbers = ", ".join(str(one.number) for one in reversed(others.values()))
        name = site.deployment.name
        raise NothingToReturnTo(
            f"release {chosen.number} knows the schema up to {chosen.accepts}, and {', '.join(gone)} has"
            " taken away what it may need",
            hint=f"gymops rollback {name} NUMBER; of these the code knows it: {numbers}"
            if numbers
            else f"no release can be returned to; mend it and release anew, gymops releases {name}",
        )
    return [one for one, _ in there]


def _taken(release: Release, there: Sequence[tuple[str, str]]) -> list[str]:
    """What took something away behind the last revision a release knows."""
    ids = [one for one, _ in there]
    if release.accepts not in ids:
        return []  # its code is ahead of the database, or of before that was written down
    return [one for one, phase in there[ids.index(release.accepts) + 1 :] if phase != EXPAND]


def _due(
    pending: Sequence[str],
    phases: Mapping[str, str],
    stranger: str,
    needed_by: Sequence[Release],
    tested: str | None,
) -> Due:
    """Everything up to the first contract that must wait; contracts in a row are applied together."""
    runs: list[tuple[str, ...]] = []
    for phase, grouped in groupby(pending, phases.__getitem__):
        run = tuple(grouped)
        at = pending.index(run[-1])
        unaware = [one for one in needed_by if one.accepts not in pending[at:]]
        why = stranger or _unaware(unaware)
        if tested is not None and tested not in pending[at:]:
            why = why or f"the release was tested at {tested}"
        if phase != EXPAND and why:
            return Due(tuple(runs), tuple(pending[pending.index(run[0]) :]), why)
        runs.append(run)
    return Due(tuple(runs))


def _unaware(releases: Sequence[Release]) -> str:
    if not releases:
        return ""
    numbers = ", ".join(str(one) for one in sorted(one.number for one in releases))
    return f"release {numbers} serves or may be returned to, and does not know it"


def _stranger(context: Context, releases: Sequence[Release]) -> str:
    """Code of which no release tells what it knows."""
    serving, running = (context.results.get("stack") or {}).get("serving"), last_good(releases)
    if running is None or serving in (None, running.version):
        return ""
    return f"version {serving} serves, and not that of release {running.number}"


def _phases(app: App, function: str) -> dict[str, str]:
    listed = app.work(function, {"do": "schema-history"})["revisions"]
    return {one["id"]: one["phase"] for one in listed}


def _asked(phase: str, needed_by: Sequence[Release]) -> dict[str, Any]:
    """The function looks once more whether anybody needs what a contract takes away."""
    event: dict[str, Any] = {"do": "schema-upgrade", "phase": phase}
    return event if phase == EXPAND else {**event, "targets": [one.accepts or "" for one in needed_by]}


def _verify(app: App, function: str, due: Due) -> None:
    found = app.work(function, {"do": "schema-check"})
    if not found["ok"]:
        wrong = "; ".join(f"{one['name']}: {one['detail']}" for one in found["checks"] if not one["ok"])
        waits = f"; {due.waiting[0]} and what comes after it waits: {due.why}" if due.waiting else ""
        raise WorkFailed(
            f"the schema is not what its revisions say: {wrong}",
            hint=f"nothing was taken back, and no traffic moved{waits}",
        )
