"""``gymops local``: the local AWS."""

from __future__ import annotations

import os
from typing import Any

import click

from gymops.cli import output
from gymops.cli.context import settings
from gymops.clock import SystemClock
from gymops.local import emulator, ports
from gymops.local.coverage import PARTS, Kind
from gymops.local.emulator import LocalAws
from gymops.local.settings import LocalSettings
from gymops.pg.binaries import find_binaries

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group()
def command() -> None:
    """The local AWS: an emulator on this machine with real PostgreSQL servers and real functions behind it.

    It listens on 127.0.0.1 only and keeps its state in ./.gymops/local. Any AWS client can use it: set its
    endpoint URL. The access key id is the account: twelve digits, so two keys are two accounts.

    \b
    Examples:
      gymops local up
      export AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_REGION=us-east-1
      export AWS_ACCESS_KEY_ID=111111111111 AWS_SECRET_ACCESS_KEY=local
      gymops local down
    """


@command.command()
@_as_json
@click.option(
    "--port", type=click.IntRange(0, 65535), help="0: any free one. Default: as the last time, at first 4566."
)
@click.option(
    "--delay", default=0.0, show_default=True, type=click.FloatRange(0, 3600),
    help="Seconds that operations stay in progress, as they do on AWS.",
)  # fmt: skip
@click.option(
    "--archive-every", default=60.0, show_default=True, type=click.FloatRange(0, 3600),
    help="Seconds the latest restorable time may lag; 0: not at all.",
)  # fmt: skip
@click.pass_context
def up(ctx: click.Context, port: int | None, delay: float, archive_every: float, as_json: bool) -> None:
    """Start it, or find that it runs; it goes on when this command ends.

    The first time it installs the emulator (ministack) into an environment of its own under the cache
    folder (XDG_CACHE_HOME); that needs the network. What was there the last time is there again, also
    after a crash.

    \b
    --json: {"started": true if it did not run before, and the keys of `gymops local status --json`}

    \b
    Examples:
      gymops local up
      gymops local up --port 0 --json
      gymops local up --delay 5
    """
    aws = _aws(ctx)
    wanted = port if port is not None else aws.saved_port() or emulator.PORT
    postgres = find_binaries(settings(ctx).postgres_bin)
    started = aws.up(
        LocalSettings(
            aws.state, wanted or ports.free_port(), postgres, delay=delay, archive_seconds=archive_every
        )
    )
    found = _document(aws)
    if as_json:
        output.document({"started": started, **found})
        return
    how = "started" if started else "runs already"
    output.text(f"The local AWS {how} (process {found['pid']}).")
    output.text(found["url"])


@command.command()
@_as_json
@click.pass_context
def down(ctx: click.Context, as_json: bool) -> None:
    """End it with its databases and functions; their state stays. It exits 0 too when nothing ran.

    \b
    --json: {"stopped": true if it ran before, "databases": how many were ended, "by_force": bool}

    \b
    Examples:
      gymops local down
      gymops local down && rm -r .gymops/local
    """
    found = _aws(ctx).down()
    if as_json:
        output.document({"stopped": found.emulator, "databases": found.databases, "by_force": found.by_force})
        return
    output.text("The local AWS stopped." if found.emulator else "The local AWS did not run.")
    if found.by_force:
        output.note("it did not end by itself, and was ended by force")


@command.command()
@_as_json
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Say whether it runs, and what in it is real, emulated or absent. It exits 0 either way.

    \b
    --json: {"running": bool, "url", "pid", "state", "log",
             "databases": [{"account", "region", "identifier", "status", "endpoint"}],
             "parts": [{"name", "kind": "real" | "emulated" | "absent", "note"}]}
    url and pid are null when it does not run.

    \b
    Examples:
      gymops local status
      AWS_ENDPOINT_URL=$(gymops local status --json | jq -r .url)
    """
    found = _document(_aws(ctx))
    if as_json:
        output.document(found)
        return
    output.text(f"running at {found['url']} (process {found['pid']})" if found["running"] else "stopped")
    output.text(f"  state  {found['state']}")
    output.text(f"  log    {found['log']}")
    for one in found["databases"]:
        output.text(f"  database {one['account']}/{one['identifier']}: {one['status']}, {one['endpoint']}")
    for kind in Kind:
        output.text(f"\n{kind.value}")
        for part in PARTS:
            if part.kind is kind:
                output.text(f"  {part.name}: {part.note}")


def _aws(ctx: click.Context) -> LocalAws:
    return LocalAws(settings(ctx).home, SystemClock(), os.environ)


def _document(aws: LocalAws) -> dict[str, Any]:
    found = aws.status()
    return {
        "running": found.running,
        "url": found.url,
        "pid": found.pid,
        "state": str(found.state),
        "log": str(found.log),
        "databases": found.databases,
        "parts": [{"name": part.name, "kind": part.kind.value, "note": part.note} for part in PARTS],
    }
