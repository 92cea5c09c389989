"""What somebody decides otherwise: ``[migrate.tables]`` and ``[migrate.views]`` of gymops.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gymops import resources
from gymops.errors import ConfigError
from gymops.tables import kinds
from gymops.tables.kinds import Kind
from gymops.tables.schema import Schema, Table


@dataclass(frozen=True)
class ColumnChoice:
    """What is said of a column; None: nothing."""

    name: str | None = None
    kind: Kind | None = None
    default: str | None = None
    """An expression of PostgreSQL; empty: no default."""
    not_null: bool | None = None
    generated: bool | None = None


@dataclass(frozen=True)
class TableChoice:
    """What is said of a table."""

    name: str | None = None
    skip: bool = False
    columns: Mapping[str, ColumnChoice] = field(default_factory=dict)
    """By their names in lower case."""
    indexes: Mapping[str, str] = field(default_factory=dict)
    """Name -> columns or expressions of an index that the file does not have."""
    sql: Mapping[str, str] = field(default_factory=dict)
    """Name of a constraint or index in the target -> its definition there; empty: it is left out."""


@dataclass(frozen=True)
class Choices:
    """All that is said."""

    keep_names: bool = False
    tables: Mapping[str, TableChoice] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)
    """View -> its query for PostgreSQL; empty: it is left out."""

    def table(self, name: str) -> TableChoice:
        """What is said of a table."""
        return self.tables.get(name.lower(), TableChoice())


def read(section: Mapping[str, Any], schema: Schema) -> Choices:
    """Read ``[migrate]``, and see that it speaks of what is there.

    Raises:
        ConfigError: it holds what is not known, or names what the file does not have.
    """
    section = _with_ready(section, schema)
    names = section.get("names", "fold")
    if names not in ("fold", "keep"):
        raise ConfigError(f"migrate.names: {names!r} is none", hint='names = "fold" or "keep"')
    tables = {table.name.lower(): table for table in schema.tables}
    chosen = {}
    for name, said in _table(section.get("tables", {}), "migrate.tables", None).items():
        where = f"migrate.tables.{name}"
        if name.lower() not in tables:
            raise ConfigError(
                f"{where}: the file has no such table", hint=f"it has {', '.join(sorted(tables)) or 'none'}"
            )
        chosen[name.lower()] = _table_choice(said, where, tables[name.lower()])
    views = _table(section.get("views", {}), "migrate.views", None)
    known = {view.name.lower() for view in schema.views}
    for name, query in views.items():
        if name.lower() not in known or not isinstance(query, str):
            raise ConfigError(
                f"migrate.views.{name}: no view of the file, or no text", hint='NAME = "SELECT ..."'
            )
    return Choices(names == "keep", chosen, {name.lower(): query for name, query in views.items()})


def _with_ready(section: Mapping[str, Any], schema: Schema) -> Mapping[str, Any]:
    """The section over what a ready mapping says of the tables that are there."""
    name = _text(section, "like", "migrate")
    if name is None:
        return section
    folder = resources.path("templates") / "tables"
    known = sorted(file.stem for file in folder.glob("*.toml"))
    if name not in known:
        raise ConfigError(f"migrate.like: there is no {name!r}", hint=f"one of {', '.join(known)}")
    ready = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
    there = {table.name.lower(): table for table in schema.tables}
    tables: dict[str, Any] = {}
    for table, said in ready.get("tables", {}).items():
        found = there.get(table.lower())
        if found:
            columns = {key: one for key, one in said["columns"].items() if found.column(key)}
            tables[found.name.lower()] = {**said, "columns": columns}
    for table, said in _table(section.get("tables", {}), "migrate.tables", None).items():
        under = tables.get(table.lower(), {"columns": {}})
        said = _table(said, f"migrate.tables.{table}", None)
        more = _table(said.get("columns", {}), f"migrate.tables.{table}.columns", None)
        tables[table.lower()] = {**under, **said, "columns": {**under["columns"], **more}}
    return {**ready, **section, "tables": tables}


def _table_choice(said: Any, where: str, table: Table) -> TableChoice:
    said = _table(said, where, {"name", "skip", "columns", "indexes", "sql"})
    columns = {}
    for name, one in _table(said.get("columns", {}), f"{where}.columns", None).items():
        at = f"{where}.columns.{name}"
        if table.column(name) is None:
            there = ", ".join(column.name for column in table.columns)
            raise ConfigError(f"{at}: the table has no such column", hint=f"it has {there}")
        columns[name.lower()] = _column_choice(one, at)
    sql = _table(said.get("sql", {}), f"{where}.sql", None)
    indexes = _table(said.get("indexes", {}), f"{where}.indexes", None)
    return TableChoice(
        name=_text(said, "name", where),
        skip=bool(_flag(said, "skip", where)),
        columns=columns,
        indexes={name: str(_text(indexes, name, f"{where}.indexes")) for name in indexes},
        sql={name: str(_text(sql, name, f"{where}.sql")) for name in sql},
    )


def _column_choice(said: Any, where: str) -> ColumnChoice:
    said = _table(said, where, {"name", "type", "reads", "default", "not_null", "generated"})
    kind, reads = _text(said, "type", where), _text(said, "reads", where) or ""
    if reads and kind is None:
        kind = "timestamptz"
    return ColumnChoice(
        name=_text(said, "name", where),
        kind=kinds.named(kind, reads) if kind else None,
        default=_text(said, "default", where),
        not_null=_flag(said, "not_null", where),
        generated=_flag(said, "generated", where),
    )


def _table(section: Any, where: str, keys: set[str] | None) -> dict[str, Any]:
    if not isinstance(section, dict):
        raise ConfigError(
            f"{where}: a table is expected", hint=f"write it as [{where}], and its keys below it"
        )
    unknown = sorted(set(section) - keys) if keys is not None else []
    if unknown:
        raise ConfigError(
            f"{where}: unknown key {unknown[0]!r}", hint=f"known keys: {', '.join(sorted(keys or ()))}"
        )
    return section


def _text(section: Mapping[str, Any], key: str, where: str) -> str | None:
    value = section.get(key)
    if value is not None and (not isinstance(value, str) or "\0" in value):
        raise ConfigError(f"{where}.{key}: a text is expected", hint=f'{key} = "..."')
    return value


def _flag(section: Mapping[str, Any], key: str, where: str) -> bool | None:
    value = section.get(key)
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"{where}.{key}: true or false is expected", hint=f"{key} = true")
    return value
