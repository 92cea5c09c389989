"""The command line: lazy commands and the one error boundary."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from gymops import __version__
from gymops.cli import output
from gymops.errors import EXIT_CODES, GymopsError, Interrupted

# verb -> (module, one line of help). The module is imported when the verb is used, so that
# `gymops --help` imports click and little else.
COMMANDS: dict[str, tuple[str, str]] = {
    "attach": ("gymops.cli.attach", "Follow the release that runs in an environment, or give one up."),
    "audit": ("gymops.cli.audit", "Whether every backup that should exist does, and was proved."),
    "backup": ("gymops.cli.backup", "Back up an environment's PostgreSQL, or its tables and buckets."),
    "backups": ("gymops.cli.backups", "What can be restored: recovery points, and the times in between."),
    "build": ("gymops.cli.build", "Build the release artefact: a zip, or an image without a Docker daemon."),
    "cost": ("gymops.cli.cost", "What an environment costs a month, beside what its document says."),
    "db": ("gymops.cli.db", "The embedded PostgreSQL: start, stop, status, url, shell."),
    "demo": ("gymops.cli.demo", "Move a sample log into a real PostgreSQL and prove it, in one go."),
    "deploy": ("gymops.cli.deploy", "Release to an environment: build, upgrade, try, shift, record."),
    "destroy": ("gymops.cli.destroy", "Delete an environment, after a final snapshot of its database."),
    "diff": ("gymops.cli.diff", "What the next release would change in an environment's stacks."),
    "doctor": ("gymops.cli.doctor", "What would break a deploy, each finding with its fix."),
    "drift": ("gymops.cli.drift", "What was changed by hand in an environment's stacks."),
    "init": ("gymops.cli.init", "Write a commented gymops.toml, or a workflow for GitHub."),
    "lint": ("gymops.cli.lint", "Look through templates: cfn-lint, and rules of our own."),
    "local": ("gymops.cli.local", "The local AWS: up, down, status."),
    "logs": ("gymops.cli.logs", "What an environment's functions and services wrote."),
    "migrate": ("gymops.cli.migrate", "Move SQLite event logs, or any tables, to PostgreSQL and prove it."),
    "neon": ("gymops.cli.neon", "Branches of a PostgreSQL at Neon: list, create, reset, delete, connect."),
    "promote": ("gymops.cli.promote", "Release to an environment what was tested in the one before it."),
    "projections": ("gymops.cli.projections", "What the event log folds to: rebuild it and compare."),
    "releases": ("gymops.cli.releases", "What was released to an environment, when and by whom."),
    "restore": ("gymops.cli.restore", "Bring a database, or tables, back as they were, beside what runs."),
    "restore-test": (
        "gymops.cli.restore_test",
        "Restore a backup apart, and prove that all of it is back.",
    ),
    "rollback": ("gymops.cli.rollback", "Return to a recorded release."),
    "runbook": ("gymops.cli.runbook", "Runbooks: list, show, run step by step."),
    "schema": ("gymops.cli.schema", "Schema revisions: upgrade, current, history, check."),
    "secrets": ("gymops.cli.secrets", "What an environment keeps secret: list, rotate, set."),
    "serve": ("gymops.cli.serve", "Run the workout tracker Titan Trakr on a database."),
    "status": ("gymops.cli.status", "How an environment is: what serves, what is unfinished, who is at it."),
    "verify": ("gymops.cli.verify", "Compare two event logs and name the first event that differs."),
    "worker": ("gymops.cli.worker", "Back up, audit and test restores by the clock."),
}

GRACE_SECONDS = 10.0
"""How long Ctrl-C may take to record what was done."""
_STOPPED = Interrupted("interrupted", hint="run the same command again to go on")

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[name][0]).command
        command.epilog = command.epilog or _EPILOG
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gymops", message="%(prog)s %(version)s")
@click.option("--config", type=click.Path(dir_okay=False), help="The settings file (default: gymops.toml).")
@click.option("--home", type=click.Path(file_okay=False), help="Local data (default: ./.gymops).")
@click.pass_context
def root(ctx: click.Context, config: str | None, home: str | None) -> None:
    """Take an app that grew up on SQLite to production, and prove every step."""
    ctx.obj = {"config": config, "home": home}


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code. No traceback reaches a user."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    signal.signal(signal.SIGINT, partial(_interrupt, as_json))
    try:
        status = root.main(arguments, prog_name="gymops", standalone_mode=False)
        output.flush()
    except click.exceptions.Exit as stop:
        status = stop.exit_code
    except click.ClickException as error:
        _fail({"code": "usage", "message": error.format_message(), "hint": _usage(error)}, as_json)
        status = 2
    except (KeyboardInterrupt, click.Abort):
        _fail(_STOPPED.as_dict()["error"], as_json)
        status = _STOPPED.exit_code
    except GymopsError as error:
        _fail(error.as_dict()["error"], as_json)
        status = error.exit_code
    except BrokenPipeError:
        # The reader of stdout went away (`gymops ... | head`): point stdout elsewhere so that the
        # interpreter's last flush does not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except Exception as error:
        if os.environ.get("GYMOPS_DEBUG"):
            raise
        message = f"internal error: {type(error).__name__}: {error}"
        _fail({"code": "internal", "message": message, "hint": "GYMOPS_DEBUG=1 shows where"}, as_json)
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


def _interrupt(as_json: bool, number: int, frame: object) -> None:  # noqa: ARG001
    """Ctrl-C ends the command as usual, and in any case soon.

    It can hit a library between taking a lock and knowing that it did; then leaving waits for itself.
    Ending there and then is safe: every command can be killed and run again.
    """
    from threading import Timer

    def end() -> None:
        _fail(_STOPPED.as_dict()["error"], as_json)
        sys.stdout.flush()
        os._exit(_STOPPED.exit_code)

    timer = Timer(GRACE_SECONDS, end)
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt


def _usage(error: click.ClickException) -> str | None:
    ctx = getattr(error, "ctx", None)
    return f"{ctx.command_path} --help" if ctx else None


def _fail(error: Any, as_json: bool) -> None:
    if as_json:
        output.document({"error": error})
        return
    output.note(f"error: {error['message']}")
    if error["hint"]:
        output.note(f"hint:  {error['hint']}")
