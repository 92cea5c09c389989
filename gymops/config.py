"""Settings: flag > environment variable ``GYMOPS_*`` > ``gymops.toml`` > default."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gymops.errors import ConfigError

FILE = "gymops.toml"
_PAYLOADS = frozenset({"kind", "base", "python"})
"""What [app] says of the payload, where it names no other app."""
_ARCHIVES = frozenset({"archive", "name", "source", "test"})
"""What [app] may say of an image that is built already."""
_TABLES = frozenset({"like", "names", "tables", "views"})
_EVENT_FIELDS = frozenset({"table", "event_id", "timestamp", "event_type", "payload", "schema_version"})


@dataclass(frozen=True)
class EventMapping:
    """Where a SQLite database of another shape keeps its events: the table and its columns."""

    table: str
    event_id: str
    timestamp: str
    event_type: str
    payload: str
    schema_version: str | None = None


@dataclass(frozen=True)
class Backup:
    """Where the backups of an environment's own server go, as [environments.NAME.backup] has it."""

    store: str | None = None
    """A folder, or ``s3://bucket/prefix``; None: ``backups`` in ``home``."""
    method: str | None = None
    """``base`` or ``dump``; None: whichever the server allows."""
    tiers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Tier -> schedule, keep, rpo, rto, as they are written."""
    key: str | None = None
    """``kms:alias/...`` or ``kms:arn:...``: what wraps the keys; None: they are files of their own."""


@dataclass(frozen=True)
class Environment:
    """One environment, as [environments.NAME] has it: its database, and where it is deployed."""

    database: str | None = None
    """A database URL, or ``env:VARIABLE``."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameter of the templates -> value, over those that come with the architecture."""
    profile: str | None = None
    """The AWS profile; without one it is on the local AWS, in an account of its own."""
    account: str | None = None
    """The twelve digits of its account; credentials of another are refused."""
    region: str | None = None
    after: str | None = None
    """The environment whose releases are promoted to this one; nothing else is deployed here."""
    within_days: int | None = None
    """How old a release of that one may be."""
    returns: int | None = None
    """How many releases before the one that runs a contract of the schema must leave to return to."""
    smoke: tuple[str, ...] = ()
    """Paths that must answer 200 before a release gets traffic."""
    traffic: str | None = None
    """How traffic moves to a release: ``AllAtOnce``, ``Canary10Percent5Minutes``, ``Linear...``."""
    backup: Backup | None = None
    """None: nothing is said of it."""


@dataclass(frozen=True)
class App:
    """The application that is built and deployed, as [app] names it; paths in it start at ``source``."""

    packages: tuple[str, ...]
    """Python packages (or modules) taken whole, with what they import of ``source``; none: the payload's."""
    handler: str
    """``package.module.function``: what Lambda calls."""
    name: str = "app"
    source: Path = Path()
    lock: Path = Path("requirements.lock")
    """Dependencies pinned by hash."""
    modules: tuple[str, ...] = ()
    """Modules taken with what they import, the packages they lie in not whole."""
    files: tuple[str, ...] = ()
    """What else is taken, as patterns: ``migrations/**``."""
    exclude: tuple[str, ...] = ()
    """What is left out of all that, as patterns."""
    without: tuple[str, ...] = ()
    """Packages of the lock that are left out."""
    zip_without: tuple[str, ...] = ()
    """Those that a zip alone does without, for Lambda's own runtime has them."""
    not_secret: tuple[str, ...] = ()
    """Files that look like secrets and are none, as patterns."""
    kind: str = "zip"
    """What is built and released of it: ``zip`` or ``image``."""
    python: str | None = None
    base: str | None = None
    """The image an image stands on: ``registry/repository@sha256:...``."""
    command: tuple[str, ...] = ()
    """What an image starts."""
    archive: Path | None = None
    """An image that somebody else built: an OCI archive or layout."""
    static: Path | None = None
    """A folder whose files are served as they are, from a bucket behind the CDN."""
    immutable: tuple[str, ...] | None = None
    """Those of them that are called by their content, as patterns; None: told by their names."""
    migrations: Path | None = None
    """A folder of Alembic revisions, whose SQL is looked through before it is released."""
    test: tuple[str, ...] = ()
    """The app's own test command; it runs in ``source`` and must pass before anything is released."""

    @property
    def other(self) -> bool:
        """Whether it is another app than the payload."""
        return bool(self.packages or self.archive)


@dataclass(frozen=True)
class Settings:
    """What every command needs to know of its surroundings."""

    home: Path = Path(".gymops")
    """Local data: the embedded PostgreSQL, private to the user."""
    postgres_bin: Path | None = None
    """A folder with PostgreSQL's programs, used instead of the embedded ones."""
    environments: Mapping[str, Environment] = field(default_factory=dict)
    mapping: EventMapping | None = None
    tables: Mapping[str, Any] = field(default_factory=dict)
    """What [migrate] says of tables that are no event log, as it is written: names, tables, views."""
    architecture: str | None = None
    """Whose templates an environment is made of."""
    app: App | None = None
    """None: the payload that comes with gymops."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The process's environment, for ``env:VARIABLE``; never printed."""

    @property
    def databases(self) -> dict[str, str]:
        """Environment name -> database URL, or ``env:VARIABLE``."""
        return {name: one.database for name, one in self.environments.items() if one.database}

    @property
    def parameters(self) -> dict[str, Mapping[str, str]]:
        """Environment name -> its parameters, of those that have any."""
        return {name: one.parameters for name, one in self.environments.items() if one.parameters}


def load(file: Path | None = None, environ: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Read the settings; ``flags`` that are not None win over everything else.

    Raises:
        ConfigError: the file is missing though named, is no TOML, or holds what we do not know.
    """
    environ = os.environ if environ is None else environ
    named = file or (Path(environ["GYMOPS_CONFIG"]) if environ.get("GYMOPS_CONFIG") else None)
    where = named or Path(FILE)
    document = _read(where, optional=named is None)
    _known(document, {"home", "postgres_bin", "architecture", "environments", "migrate", "app"}, str(where))
    values: dict[str, Any] = {"environ": environ, "environments": _environments(document, where)}
    if "architecture" in document:
        values["architecture"] = _text(document["architecture"], f"{where}: architecture")
    for name in ("home", "postgres_bin"):
        written = _text(document[name], f"{where}: {name}") if name in document else None
        value = flags.get(name) or environ.get(f"GYMOPS_{name.upper()}") or written
        if value:
            values[name] = Path(value)
    migrate = document.get("migrate", {})
    _known(migrate, {"events", *_TABLES}, f"{where}: [migrate]")
    values["tables"] = {name: migrate[name] for name in sorted(_TABLES & set(migrate))}
    if "events" in migrate:
        values["mapping"] = _mapping(migrate["events"], where)
    if "app" in document:
        values["app"] = _app(document["app"], where)
    return Settings(**values)


def resolve(settings: Settings, place: str) -> str:
    """Turn ``env:NAME`` into its URL: an environment of gymops.toml first, then a variable.

    Anything else is returned as it is. The result may hold a password and is never printed.
    """
    if not place.startswith("env:"):
        return place
    name = place.removeprefix("env:")
    url = settings.databases.get(name)
    if url is not None and not url.startswith("env:"):
        return url
    variable = url.removeprefix("env:") if url else name
    value = settings.environ.get(variable)
    if not value:
        raise ConfigError(
            f"{place}: neither an environment with a database in {FILE} nor a set environment variable",
            hint=f"export {variable}=postgresql://user:password@host/database",
        )
    return value


def _read(file: Path, *, optional: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if optional:
            return {}
        raise ConfigError(
            f"{file}: no such file", hint="gymops init writes a commented gymops.toml"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{file}: not valid TOML: {error}", hint="gymops init in an empty directory writes one to compare"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be read: {error.strerror}", hint="check the path and its permissions"
        ) from None


def _known(section: Any, keys: set[str] | frozenset[str], where: str) -> None:
    if not isinstance(section, dict):
        raise ConfigError(f"{where}: a table is expected", hint="write it as [name], and its keys below it")
    unknown = sorted(set(section) - keys)
    if unknown:
        raise ConfigError(
            f"{where}: unknown key {unknown[0]!r}", hint=f"known keys: {', '.join(sorted(keys))}"
        )


def _environments(document: dict[str, Any], where: Path) -> dict[str, Environment]:
    environments = document.get("environments", {})
    _known(
        environments,
        set(environments) if isinstance(environments, dict) else set(),
        f"{where}: [environments]",
    )
    return {
        name: _environment(section, f"{where}: [environments.{name}]")
        for name, section in environments.items()
    }


def _environment(section: Any, title: str) -> Environment:
    texts = {"database", "profile", "account", "region", "after", "traffic"}
    _known(section, texts | {"parameters", "smoke", "within_days", "returns", "backup"}, title)
    at = title.replace("[", "").replace("]", "")
    values: dict[str, Any] = {name: _text(section[name], f"{at}.{name}") for name in texts & set(section)}
    if "smoke" in section:
        values["smoke"] = _texts(section["smoke"], f"{at}.smoke")
    if "within_days" in section:
        values["within_days"] = _whole(section["within_days"], f"{at}.within_days", "days")
    if "returns" in section:
        values["returns"] = _whole(section["returns"], f"{at}.returns", "releases")
    if "account" in values and not re.fullmatch(r"[0-9]{12}", values["account"]):
        raise ConfigError(
            f"{at}.account: {values['account']!r} is no account", hint="an account has twelve digits"
        )
    if "backup" in section:
        values["backup"] = _backup(section["backup"], f"{title.removesuffix(']')}.backup]", f"{at}.backup")
    return Environment(**values, parameters=_parameters(section.get("parameters", {}), title))


def _backup(section: Any, title: str, at: str) -> Backup:
    texts = {"store", "method", "key"}
    _known(section, {*texts, "tiers"}, title)
    values = {name: _text(section[name], f"{at}.{name}") for name in texts & set(section)}
    if not re.fullmatch(r"kms:(alias/\S+|arn:aws[a-z-]*:kms:\S+)", values.get("key", "kms:alias/x")):
        raise ConfigError(
            f"{at}.key: {values['key']!r} is none", hint='key = "kms:alias/NAME" or "kms:arn:aws:kms:..."'
        )
    if values.get("method", "base") not in {"base", "dump"}:
        raise ConfigError(f"{at}.method: {values['method']!r} is none", hint='method = "base" or "dump"')
    tiers = section.get("tiers", {})
    _known(tiers, set(tiers) if isinstance(tiers, dict) else set(), f"{title.removesuffix(']')}.tiers]")
    for name, one in tiers.items():
        _known(one, set(one) if isinstance(one, dict) else set(), f"{title.removesuffix(']')}.tiers.{name}]")
    return Backup(
        **values,
        tiers={
            name: {key: _text(value, f"{at}.tiers.{name}.{key}") for key, value in one.items()}
            for name, one in tiers.items()
        },
    )


def _parameters(given: Any, environment: str) -> dict[str, str]:
    title = f"{environment.removesuffix(']')}.parameters]"
    _known(given, set(given) if isinstance(given, dict) else set(), title)
    for key, value in given.items():
        if not isinstance(value, str):
            raise ConfigError(f"{title}: {key}: a text is expected", hint='numbers and true too: key = "512"')
    return dict(given)


def _whole(value: Any, where: str, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 3650:
        raise ConfigError(
            f"{where}: a whole number of {what} is expected", hint="write it without quotes: 14"
        )
    return value


def _mapping(section: Any, where: Path) -> EventMapping:
    title = f"{where}: [migrate.events]"
    _known(section, _EVENT_FIELDS, title)
    missing = sorted(_EVENT_FIELDS - {"schema_version"} - set(section))
    if missing:
        raise ConfigError(f"{title}: {missing[0]} is missing", hint="name the table and each column")
    return EventMapping(
        **{name: _text(value, f"{where}: migrate.events.{name}") for name, value in section.items()}
    )


def _app(section: Any, where: Path) -> App:
    title = f"{where}: [app]"
    lists = {"modules", "files", "exclude", "without", "zip_without", "not_secret", "command", "test"}
    lists.add("immutable")
    paths = {"source", "lock", "static", "migrations", "archive"}
    texts = {"name", "handler", "python", "base", "kind"}
    _known(section, {"package", *lists, *paths, *texts}, title)
    if "archive" in section:
        if others := sorted(set(section) - _ARCHIVES):
            raise ConfigError(
                f"{title}: archive is built already, and {', '.join(others)} says how to",
                hint=f"beside it stand {', '.join(sorted(_ARCHIVES - {'archive'}))}",
            )
        section = {**section, "kind": "image"}
    for name in () if "archive" in section else ("package", "handler"):
        if name not in section and set(section) - _PAYLOADS:
            raise ConfigError(f"{title}: {name} is missing", hint="name the app's package and its handler")
    values: dict[str, Any] = {"packages": (), "handler": ""}
    if "package" in section:
        values["packages"] = _texts(section["package"], f"{where}: app.package")
    for name in sorted(set(section) - {"package"}):
        at = f"{where}: app.{name}"
        values[name] = _texts(section[name], at) if name in lists else _text(section[name], at)
        if name in paths:
            values[name] = Path(values[name])
    if values.get("kind", "zip") not in {"zip", "image"}:
        raise ConfigError(f"{where}: app.kind: {values['kind']!r} is none", hint='kind = "zip" or "image"')
    return App(**values)


def _texts(value: Any, where: str) -> tuple[str, ...]:
    """One text, or a list of them."""
    return tuple(_text(one, where) for one in (value if isinstance(value, list) else [value]))


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ConfigError(f"{where}: a text is expected", hint='write it in quotes: key = "value"')
    return value
