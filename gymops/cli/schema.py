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
    --json: {"target", "current": revision or null, "pending": [revision]}
    """
    from gymops.pg import schema
    from gymops.pg.connection import redact

    url = context.target_url(context.settings(ctx), to)
    at, missing = schema.current(url), [revision.id for revision in schema.pending(url)]
    if as_json:
        output.document({"target": redact(url), "current": at, "pending": missing})
    else:
        output.text(at or "no revision yet")
        if missing:
            output.text(f"pending: {', '.join(missing)}; gymops schema upgrade applies them")
    if ask_pending and missing:
        ctx.exit(3)


@command.command()
@_options
@click.pass_context
def history(ctx: click.Context, to: str | None, as_json: bool) -> None:
    """All revisions, oldest first; needs no database unless --to asks which it has.

    \b
    --json: {"revisions": [{"id", "phase", "message", "applied": true, false or null}]}
    """
    from gymops.pg import schema

    missing = None
    if to:
        missing = {revision.id for revision in schema.pending(context.target_url(context.settings(ctx), to))}
    rows = [(r, None if missing is None else r.id not in missing) for r in schema.history()]
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
