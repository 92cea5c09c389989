"""Making the plan: read everything, decide everything, try it on PostgreSQL; nothing stays written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

from gymops.errors import ConfigError
from gymops.eventlog.digest import RejectedHasher
from gymops.pg.connection import Connection
from gymops.tables import decide, loading, proof, reading, rules, target, views
from gymops.tables.digest import Content
from gymops.tables.kinds import BIGINT, TEXT, TIMESTAMPTZ, timestamptz
from gymops.tables.names import Names
from gymops.tables.overrides import Choices, ColumnChoice, TableChoice
from gymops.tables.plan import NO_LENGTH, ColumnPlan, LeftOut, Plan, Rule, Scanned, TablePlan
from gymops.tables.schema import Column, Table, affinity
from gymops.tables.snapshot import Snapshot
from gymops.tables.translate import UntranslatableError

_SAMPLE = 100


class Observer(Protocol):
    """Told what goes on, for a person to see."""

    def phase(self, name: str, total: int | None) -> None:
        """A part of the work begins; ``total`` is how much it is."""
        ...

    def advance(self, done: int) -> None:
        """So much more of the part is done."""
        ...


@dataclass
class _Draft:
    """A table while it is decided about."""

    source: Table
    name: str
    columns: list[ColumnPlan]


def make(
    snapshot: Snapshot, connection: Connection, shown: str, choices: Choices, observer: Observer
) -> Plan:
    """The plan for a file and what the target holds; ``shown`` is the target's URL without its password.

    Raises:
        ConfigError: two things are to have the same name.
        GateRefused: the target has relations of these names that are not these tables.
    """
    names = Names(keep=choices.keep_names)
    left = [LeftOut(what, "it has no counterpart") for what in snapshot.schema.left_out]
    left += [LeftOut(what, "it is no CSV file") for what in snapshot.staged.left_out]
    kept = [table for table in snapshot.schema.tables if not choices.table(table.name).skip]
    left += [
        LeftOut(f"table {table.name}", "gymops.toml says so")
        for table in snapshot.schema.tables
        if choices.table(table.name).skip
    ]
    observer.phase("reading the source", None)
    drafts = [_draft(snapshot, table, choices, given) for table, given in _named(kept, choices, names)]
    _like_their_parents(drafts)
    rejected, tables = RejectedHasher(), []
    observer.phase("checking every row", sum(sum(draft.columns[0].values.values()) for draft in drafts))
    scanned = [_scan(snapshot, draft, choices, rejected, observer) for draft in drafts]
    relations = rules.Relations(
        {draft.source.name.lower(): draft.name for draft in drafts},
        {d.source.name.lower(): {c.source.name.lower(): c.name for c in d.columns} for d in drafts},
        {draft.source.name.lower(): draft.source.key for draft in drafts},
    )
    for draft, found in zip(drafts, scanned, strict=True):
        there = list(rules.of_table(draft.source, draft.name, draft.columns, relations, names))
        chosen = choices.table(draft.source.name).sql
        asked = choices.table(draft.source.name).indexes
        there += [Rule("index", names.give(name), (definition,)) for name, definition in asked.items()]
        made, dropped = _chosen([one for one in there if isinstance(one, Rule)], chosen, draft)
        left += [one for one in there if isinstance(one, LeftOut)] + dropped
        columns = tuple(draft.columns)
        notes = snapshot.staged.notes.get(draft.source.name) or tuple(_notes(draft, made))
        tables.append(TablePlan(draft.source, draft.name, columns, made, found, notes))
    planned, missing = views.planned(snapshot, choices, relations, names)

    def filled(table: TablePlan) -> Content:
        loading.fill(connection, snapshot, table, lambda _: None)
        return proof.content(connection, table, lambda _: None)

    trial = target.trial(connection, tables, planned, filled)
    return Plan(
        source=snapshot.name,
        target=shown,
        bytes=snapshot.bytes,
        tables=trial.tables,
        views=trial.views,
        left_out=(*left, *missing, *trial.left_out),
        rejected=rejected.result(),
        catalogue=trial.catalogue,
        there=target.there(connection, trial.tables, trial.views),
    )


def _named(tables: Sequence[Table], choices: Choices, names: Names) -> Iterator[tuple[Table, str]]:
    """Every table with its name: those that somebody chose come first."""
    given = {}
    for table in tables:
        wanted = choices.table(table.name).name
        if wanted is not None and not (claimed := names.claim(wanted)):
            raise ConfigError(
                f"migrate.tables.{table.name}.name: {wanted!r} is taken, or longer than 63 bytes",
                hint="choose another",
            )
        if wanted is not None:
            given[table.name] = str(claimed)
    return iter([(table, given.get(table.name) or names.give(table.name)) for table in tables])


def _draft(snapshot: Snapshot, table: Table, choices: Choices, name: str) -> _Draft:
    said, names = choices.table(table.name), Names.of_columns(keep=choices.keep_names)
    classes = snapshot.classes(table)
    chosen = {column.name: said.columns.get(column.name.lower(), ColumnChoice()) for column in table.columns}
    given = {}
    for spelled, choice in chosen.items():
        if choice.name is not None:
            given[spelled] = names.claim(choice.name)
            if given[spelled] is None:
                where = f"migrate.tables.{table.name}.columns.{spelled}.name"
                raise ConfigError(
                    f"{where}: {choice.name!r} is taken, reserved or too long", hint="choose another"
                )
    columns = []
    for column in table.columns:
        name_there = given.get(column.name) or names.give(column.name)
        choice = chosen[column.name]
        columns.append(_column(snapshot, table, column, choice, classes[column.name], name_there))
    for at, column_plan in enumerate(columns):
        expression = column_plan.source.expression
        if expression is None:
            continue
        if chosen[column_plan.source.name].generated is False:
            note = "its values are moved, gymops.toml says so"
        else:
            try:
                columns[at] = replace(
                    column_plan, generated=rules.translated(columns, expression, exact=True)
                )
                continue
            except UntranslatableError as error:
                note = f"not computed there, its values are moved: {error}"
        columns[at] = replace(column_plan, notes=(*column_plan.notes, note))
    return _Draft(table, name, columns)


def _column(
    snapshot: Snapshot,
    table: Table,
    column: Column,
    choice: ColumnChoice,
    classes: dict[str, int],
    name: str,
    *,
    doubted: bool = False,
) -> ColumnPlan:
    notes: list[str] = []

    def values() -> Iterator[object]:
        return (row[1] for batch in snapshot.rows(table, [column.name]) for row in batch)

    if choice.kind:
        kind, why = choice.kind, "gymops.toml says so"
        if kind is TIMESTAMPTZ and classes.get("integer") and decide.all_milliseconds(values()):
            kind = timestamptz("unix_ms")
    elif column.name == table.number:
        kind, why = BIGINT, "numbers the rows"
    else:
        found = decide.decide(column, classes, values, strict=table.strict, doubted=doubted)
        kind, why = found.kind, found.why
        hint = decide.suggestion(column, kind, islice(values(), _SAMPLE))
        notes += [hint] if hint else []
    default, said = (
        (choice.default or None, None) if choice.default is not None else rules.default(column, kind)
    )
    notes += [said] if said else []
    wanted = column.not_null or column.name == table.number if choice.not_null is None else choice.not_null
    if wanted and classes.get("null"):
        notes.append(f"NOT NULL is left out: {classes['null']:,} values are NULL")
        wanted = False
    if column.collation == "NOCASE" and kind is TEXT:
        notes.append(
            'compared without case in SQLite, with it here: lower(...) in queries, or type = "citext"'
        )
    if "(" in column.declared and kind is TEXT and affinity(column.declared) == "TEXT":
        why += f", {NO_LENGTH}"
    identity = column.name == table.number and kind is BIGINT and column.default is None
    return ColumnPlan(
        column, name, kind, why, classes, wanted, None if identity else default, identity, (), tuple(notes)
    )


def _like_their_parents(drafts: list[_Draft]) -> None:
    """A reference without a type and without a value is of the type it refers to."""
    by_name = {draft.source.name.lower(): draft for draft in drafts}
    for draft in drafts:
        for key in draft.source.foreign_keys:
            parent = by_name.get(key.parent.lower())
            to = (key.parent_columns or parent.source.key) if parent else ()
            for name, other in zip(key.columns, to, strict=False):
                at = next(i for i, c in enumerate(draft.columns) if c.source.name.lower() == name.lower())
                mine = draft.columns[at]
                theirs = (
                    next((c for c in parent.columns if c.source.name.lower() == other.lower()), None)
                    if parent
                    else None
                )
                empty = not any(count for kind, count in mine.values.items() if kind != "null")
                if theirs and empty and mine.kind is TEXT and not mine.source.declared:
                    draft.columns[at] = replace(mine, kind=theirs.kind, why=f"as {key.parent}.{other}")


def _scan(
    snapshot: Snapshot, draft: _Draft, choices: Choices, rejected: RejectedHasher, observer: Observer
) -> Scanned:
    """Read a table; again, where it turned out to hold more bad texts than are rejected."""
    said = choices.table(draft.source.name)
    while True:
        rejected.forget("", draft.source.name)
        keys = list(_keys(draft))
        scanned = reading.scan(snapshot, draft.source, draft.columns, keys, rejected, observer.advance)
        doubted = [at for at, column in enumerate(draft.columns) if _doubted(column, scanned, said)]
        if not doubted:
            return scanned
        for at in doubted:
            column = draft.columns[at]
            again = _column(
                snapshot,
                draft.source,
                column.source,
                ColumnChoice(),
                column.values,
                column.name,
                doubted=True,
            )
            draft.columns[at] = replace(again, generated=column.generated)


def _doubted(column: ColumnPlan, scanned: Scanned, said: TableChoice) -> bool:
    """Whether a column of texts holds so many bad ones that it is none."""
    present = sum(count for kind, count in column.values.items() if kind != "null")
    chosen = said.columns.get(column.source.name.lower())
    open_ = column.kind is TEXT and not (chosen and chosen.kind)
    return open_ and scanned.misfits.get(column.source.name, 0) > present * decide.FEW


def _keys(draft: _Draft) -> Iterator[tuple[str, Sequence[str]]]:
    """The columns that no two rows share."""
    spelled = {column.source.name.lower(): column.source.name for column in draft.columns}
    if draft.source.key:
        yield "primary key", draft.source.key
    for index in draft.source.indexes:
        if index.unique and not index.where and all(part.column for part in index.parts):
            yield index.name or "unique", [spelled[str(part.column).lower()] for part in index.parts]


def _chosen(
    found: Sequence[Rule], chosen: Mapping[str, str], draft: _Draft
) -> tuple[tuple[Rule, ...], list[LeftOut]]:
    """The rules as somebody wants them."""
    unknown = sorted(set(chosen) - {rule.name for rule in found})
    if unknown:
        raise ConfigError(
            f"migrate.tables.{draft.source.name}.sql: there is no {unknown[0]!r}",
            hint=f"there are {', '.join(rule.name for rule in found) or 'none'}",
        )
    made = []
    left = []
    for rule in found:
        if rule.name not in chosen:
            made.append(rule)
        elif chosen[rule.name]:
            made.append(replace(rule, definitions=(chosen[rule.name],)))
        else:
            left.append(LeftOut(f"{rule.what} {rule.name} of {draft.source.name}", "gymops.toml says so"))
    return tuple(made), left


def _notes(draft: _Draft, made: Sequence[Rule]) -> Iterator[str]:
    table = draft.source
    if not table.key:
        yield "it has no primary key: SQLite's rowid, which numbers its rows, is not moved"
    for key in table.foreign_keys:
        if key.orphans:
            yield (
                f"{key.orphans:,} rows point to nothing in {key.parent}: the foreign key"
                f" ({', '.join(key.columns)}) is NOT VALID, it holds for what is written from now on"
            )
    primary = next((rule.definitions[0] for rule in made if rule.what == "primary key"), "")
    for rule in made:
        if rule.what == "index" and rule.definitions[0] == primary.replace("PRIMARY KEY", "UNIQUE"):
            yield f"the index {rule.name} does what the primary key does already"
