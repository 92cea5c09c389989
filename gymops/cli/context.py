"""The composition root: settings become adapters here and nowhere else."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gymops import config
from gymops.cli import output
from gymops.clock import SystemClock
from gymops.errors import ConfigError, LocalError, SchemaError

if TYPE_CHECKING:
    from gymops.app.store import Store
    from gymops.aws.account import Account
    from gymops.deploy.environment import Deployment
    from gymops.eventlog.postgres import PostgresLog
    from gymops.eventlog.workspace import SqliteLog


def settings(ctx: click.Context) -> config.Settings:
    """The settings of this run."""
    flags = ctx.find_root().obj or {}
    file = flags.get("config")
    return config.load(Path(file) if file else None, home=flags.get("home"))


def target_url(settings: config.Settings, to: str | None) -> str:
    """The database a command works on: ``--to`` (``env:NAME`` resolved), or the embedded server's.

    The embedded server is started when it is not running, and left running. The URL may hold a
    password and is never printed; ``gymops.pg.connection.redact`` shows it without.

    Raises:
        ConfigError: ``env:NAME`` is not set.
        ServerError: the embedded server cannot be started.
    """
    if to:
        return config.resolve(settings, to)
    from gymops.pg import embedded

    server = embedded.open_server(settings.home, settings.postgres_bin)
    if embedded.start(server, clock=SystemClock()):
        output.note("started the embedded PostgreSQL; gymops db stop ends it")
    return server.url()


def open_source(settings: config.Settings, source: str, user: str) -> SqliteLog:
    """The SQLite file or workspace directory a migration reads."""
    from gymops.eventlog.workspace import SqliteLog

    if is_database(source):
        raise ConfigError(f"{source}: a SQLite file or a directory is expected here, not a database URL")
    return SqliteLog(Path(source), user, settings.mapping)


def holds_tables(settings: config.Settings, source: str) -> bool:
    """Whether a source is a SQLite file that is no event log: its tables are moved as they are."""
    if is_database(source) or settings.mapping:
        return False
    from gymops.tables import snapshot

    return snapshot.holds_tables(Path(source))


def open_log(settings: config.Settings, place: str, user: str) -> SqliteLog | PostgresLog:
    """Any event log: a SQLite file, a workspace directory, a PostgreSQL URL, ``env:NAME``.

    ``env:local`` is the embedded server, unless gymops.toml says otherwise.
    """
    from gymops.eventlog.postgres import PostgresLog

    if place == "env:local" and "local" not in settings.databases:
        return PostgresLog(target_url(settings, None), user)
    if is_database(place):
        return PostgresLog(config.resolve(settings, place), user)
    return open_source(settings, place, user)


def open_store(settings: config.Settings, database: str, user: str) -> Store:
    """Where the payload keeps its events: a PostgreSQL URL, ``env:NAME``, a SQLite file, a directory.

    The embedded server's schema is brought up to date, and the app works there with the rights of its own
    role. Of any other database it is only checked: an app has no business to change it.

    Raises:
        SchemaError: another database lacks revisions, or has one this gymops does not know.
    """
    from gymops.app.store.opening import open_store

    clock = SystemClock()
    if database == "env:local" and "local" not in settings.databases:
        return open_store(_embedded_app_url(settings), user=user, clock=clock)
    if not is_database(database):
        return open_store(database, user=user, clock=clock)
    from gymops.pg import schema

    url = config.resolve(settings, database)
    missing = [revision.id for revision in schema.pending(url)]
    if missing:
        raise SchemaError(
            f"the database lacks the revisions {', '.join(missing)}",
            hint=f"gymops schema upgrade --to {database if database.startswith('env:') else 'URL'}",
        )
    return open_store(url, user=user, clock=clock)


def _embedded_app_url(settings: config.Settings) -> str:
    from gymops.pg import embedded, schema

    for revision in schema.upgrade(target_url(settings, None), clock=SystemClock()):
        output.note(f"applied schema revision {revision}")
    return embedded.open_server(settings.home, settings.postgres_bin).url(user=embedded.APP_ROLE)


def open_users(url: str, users: list[str]) -> PostgresLog:
    """The events of some users of a database."""
    from gymops.eventlog.postgres import PostgresLog

    return PostgresLog(url, only=users)


def account(settings: config.Settings, deployment: Deployment) -> Account:
    """Where an environment is deployed: the account of its profile, or one on the local AWS.

    Raises:
        LocalError: the local AWS does not run.
        AwsError: no credentials, or AWS is not reached.
        ConfigError: the credentials are of another account than gymops.toml names.
    """
    found = reach(settings, deployment)
    if found.local:
        return found
    number, arn = found.identity()
    if deployment.account not in (None, number):
        raise ConfigError(
            f"{deployment.name} is in account {deployment.account}, but the credentials are {arn}",
            hint=f"change `profile` or `account` of [environments.{deployment.name}] in gymops.toml",
        )
    return found


def reach(settings: config.Settings, deployment: Deployment) -> Account:
    """The same, without asking whether anybody is there.

    Raises:
        LocalError: the local AWS does not run.
    """
    from gymops.aws.account import Account
    from gymops.local.emulator import LocalAws

    if deployment.local:
        found = LocalAws(settings.home, SystemClock(), settings.environ).status()
        if found.url is None:
            raise LocalError(
                f"{deployment.name} is on the local AWS, which does not run",
                hint=f"gymops local up; or name a profile in [environments.{deployment.name}] of gymops.toml",
            )
        return Account(deployment.region, endpoint=found.url, number=local_number(deployment.name))
    return Account(deployment.region, profile=deployment.profile)


def local_number(environment: str) -> str:
    """The account of an environment on the local AWS: the usual ones are easily told apart."""
    usual = {"local": "111111111111", "staging": "222222222222", "prod": "333333333333"}
    return usual.get(environment) or f"{int(sha256(environment.encode()).hexdigest(), 16) % 10**12:012d}"


def is_database(place: str) -> bool:
    """Whether a place is a PostgreSQL database and not a path."""
    return place.startswith(("env:", "postgresql://", "postgres://"))
