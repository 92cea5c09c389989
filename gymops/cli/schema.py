"""gymops schema: upgrade, current, history, check."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from gymops.cli import context, output
from gymops.clock import SystemClock

_Body = TypeVar("_Body", bound=Callable[..., None])


def _options(body: _Body) -> _Body:
    body = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(body)
    return click.option(
        "--to",
        metavar="URL",
        help="A URL or env:NAME. Without it: the embedded server, started when it is not running.",
    )(body)


@click.group()
def command() -> None:
    """Schema revisions: upgrade, current, history, check."""


@command.command()
@_options
@click.pass_context
def upgrade(ctx: click.Context, to: str | None, as_json: bool) -> None:
    """Apply the revisions the database lacks, each in a transaction of its own.

    A revision that has to wait 5 seconds for a lock gives way and names who blocks it; run the same
    command again. Two upgrades at once: the second exits 7 and names the first.

    \b
    --json: {"target", "applied": [revision], "current"}
    """
    from gymops.pg import schema
    from gymops.pg.connection import redact

    url = context.target_url(context.settings(ctx), to)
    applied = schema.upgrade(url, clock=SystemClock())
    at = schema.current(url)
    if as_json:
        output.document({"target": redact(url), "applied": applied, "current": at})
        return
    output.text(f"{redact(url)} is at revision {at}")
    output.text(f"applied: {', '.join(applied)}" if applied else "nothing to do")


@command.command()
@_options
@click.option("--pending", "ask_pending", is_flag=True, help="Exit 3 when revisions are pending.")
@click.pass_context
def current(ctx: click.Context, to: str | None, as_json: bool, ask_pending: bool) -> None:
    """The database's revision, and those it lacks.

    \b
    --json: {"target", "current": revision or null, "pending": [revision], "newer": [revision]}

    Newer are revisions of a later gymops that only added to the schema: this one works on it. Where one of
    them took something away, this gymops refuses the database.
    """
    from gymops.pg import schema
    from gymops.pg.connection import redact

    url = context.target_url(context.settings(ctx), to)
    found = schema.look(url)
    missing, newer = ([revision.id for revision in some] for some in (found.pending, found.newer))
    if as_json:
        output.document({"target": redact(url), "current": found.current, "pending": missing, "newer": newer})
    else:
        output.text(found.current or "no revision yet")
        if newer:
            output.text(f"newer than this gymops: {', '.join(newer)}; the schema was only added to")
        if missing:
            output.text(f"pending: {', '.join(missing)}; gymops schema upgrade applies them")
    if ask_pending and missing:
        ctx.exit(3)


@command.command()
@_options
@click.pass_context
def history(ctx: click.Context, to: str | None, as_json: bool) -> None:
    """All revisions, oldest first; needs no database unless --to asks which it has, newer ones included.

    \b
    --json: {"revisions": [{"id", "phase", "message", "applied": true, false or null}]}
    """
    from gymops.pg import schema

    found = schema.look(context.target_url(context.settings(ctx), to)) if to else None
    known = [*schema.history(), *(found.newer if found else [])]
    rows = [(r, None if found is None else r not in found.pending) for r in known]
    if as_json:
        listed = [{"id": r.id, "phase": r.phase, "message": r.message, "applied": done} for r, done in rows]
        output.document({"revisions": listed})
        return
    words = {None: "", True: "yes", False: "no"}
    output.table([(r.id, r.phase, words[done], r.message) for r, done in rows], _HISTORY)


@command.command()
@_options
@click.pass_context
def check(ctx: click.Context, to: str | None, as_json: bool) -> None:
    """Whether the database has the schema this gymops needs, with its protections in place.

    Looks at the revision, the tables, columns and indexes of the event log, the keys of per-user tables,
    the trigger that refuses changes to events, and the rights of gymops_app. Exits 3 on any finding.

    \b
    --json: {"target", "ok", "checks": [{"name", "ok", "detail"}]}
    """
    from gymops.pg import schema
    from gymops.pg.connection import redact

    url = context.target_url(context.settings(ctx), to)
    report = schema.check(url)
    if as_json:
        output.document({"target": redact(url), **report.as_dict()})
    else:
        output.table([("ok" if c.ok else "FAIL", c.name, c.detail) for c in report.checks], _CHECK)
    if not report.ok:
        ctx.exit(3)


_HISTORY = ("revision", "phase", "applied", "what it does")
_CHECK = ("", "check", "finding")
