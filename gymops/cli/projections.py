"""``gymops projections``."""

from __future__ import annotations

from contextlib import closing

import click

from gymops.cli import context, output, progress

_EPILOG = """\b
Examples:
  gymops projections rebuild
  gymops projections rebuild --database workspace/ --user 'auth0|000001'

\b
Keys of --json: users[{user, events, changed{projections, aggregates, sets}}], equal. "changed" counts the
rows that were not what the log folds to; they are put right, so the exit code is 0 either way."""


@click.group("projections")
def command() -> None:
    """What the event log folds to."""


@command.command("rebuild", epilog=_EPILOG)
@click.option(
    "--database",
    metavar="URL|FILE|DIR",
    default="env:local",
    help="As for gymops serve (default: the embedded server).",
)
@click.option("--user", metavar="ID", help="Only this user (default: all; of one file: default).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def rebuild(ctx: click.Context, database: str, user: str | None, as_json: bool) -> None:
    """Fold the event log again, compare with the projections that are there, and put right what differs.

    It folds beside the live rows while the app goes on writing, and swaps in one transaction. Killed, the
    same command goes on where it was.
    """
    settings = context.settings(ctx)
    with (
        closing(context.open_store(settings, database, user or "default")) as store,
        progress.observer() as observer,
    ):
        users = list(store.users()) if user is None else [user]
        observer.phase("folding", None)
        rebuilt = {name: store.rebuild(name, observer.advance) for name in users}
    if as_json:
        output.document(
            {
                "users": [
                    {"user": name, "events": one.events, "changed": one.changed}
                    for name, one in rebuilt.items()
                ],
                "equal": all(one.equal for one in rebuilt.values()),
            }
        )
        return
    output.table(
        [
            (name, f"{one.events:,}", *(f"{count:,}" for count in one.changed.values()))
            for name, one in rebuilt.items()
        ],
        ("user", "events", "projections changed", "aggregates changed", "sets changed"),
    )
    equal = all(one.equal for one in rebuilt.values())
    output.text("\nEQUAL: the projections were what the log folds to" if equal else "\nMENDED: see above")
