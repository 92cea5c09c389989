"""What moving a file's tables will do: every table, column and rule, with the reason for each."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

from gymops.errors import BadEvents
from gymops.eventlog.digest import Rejected
from gymops.tables.digest import Content, database
from gymops.tables.kinds import Kind
from gymops.tables.schema import Column, Table

PROBLEMS_SHOWN = 20
NO_LENGTH = "a length that SQLite does not keep to"
"""Why a VARCHAR(40) is text: there may be longer ones."""


@dataclass(frozen=True)
class Problem:
    """A row that cannot be moved as it is."""

    table: str
    rowid: int
    reason: str

    def __str__(self) -> str:
        return f"{self.table} row {self.rowid}: {self.reason}"


@dataclass(frozen=True)
class ColumnPlan:
    """What a column becomes."""

    source: Column
    name: str
    kind: Kind
    why: str
    values: dict[str, int]
    """Storage class -> how many values have it."""
    not_null: bool
    default: str | None
    """An expression of PostgreSQL."""
    identity: bool
    generated: tuple[str, ...] = ()
    """Expressions to try, the first that PostgreSQL takes; none where it just holds its values."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A key, an index, a check or a reference, made when the rows are there."""

    what: str
    """primary key, unique, index, check or foreign key."""
    name: str
    definitions: tuple[str, ...]
    """What to try, the first that PostgreSQL takes: all behind the rule's name."""


@dataclass(frozen=True)
class LeftOut:
    """What the target does without, and why."""

    what: str
    why: str


@dataclass
class Scanned:
    """What one pass over a table found."""

    content: Content = field(default_factory=Content)
    """Of the rows that can be moved."""
    rejected: array[int] = field(default_factory=lambda: array("q"))
    """Which of the rows, in the order they are read, cannot."""
    problems: list[Problem] = field(default_factory=list)
    misfits: dict[str, int] = field(default_factory=dict)
    """Column -> how many values it does not hold."""


@dataclass(frozen=True)
class TablePlan:
    """What a table becomes."""

    source: Table
    name: str
    columns: tuple[ColumnPlan, ...]
    rules: tuple[Rule, ...]
    scanned: Scanned
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many there are in the source."""
        return self.scanned.content.rows + len(self.scanned.rejected)

    def as_dict(self) -> dict[str, Any]:
        columns = [
            {
                "name": column.source.name,
                "target": column.name,
                "declared": column.source.declared,
                "type": column.kind.sql,
                "why": column.why,
                "values": {name: count for name, count in column.values.items() if count},
                "not_null": column.not_null,
                "default": column.default,
                "identity": column.identity,
                "generated": column.generated[0] if column.generated else None,
                "notes": list(column.notes),
            }
            for column in self.columns
        ]
        rules = [
            {"what": rule.what, "name": rule.name, "definition": rule.definitions[0]} for rule in self.rules
        ]
        return {
            "target": self.name,
            "source": self.rows,
            "rejected": len(self.scanned.rejected),
            "columns": columns,
            "rules": rules,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class ViewPlan:
    """What a view becomes."""

    source: str
    name: str
    query: str


@dataclass(frozen=True)
class Plan:
    """Everything a run is going to do."""

    source: str
    target: str
    bytes: int
    tables: tuple[TablePlan, ...]
    views: tuple[ViewPlan, ...]
    left_out: tuple[LeftOut, ...]
    rejected: Rejected
    catalogue: dict[str, str]
    """What PostgreSQL calls each column, rule and view that is to be there."""
    there: bool
    """The target holds these tables already."""

    @property
    def work(self) -> bool:
        """Whether there is anything to do."""
        return not self.there

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def contents(self) -> dict[str, Content]:
        """Table in the target -> what it is to hold."""
        return {table.name: table.scanned.content for table in self.tables}

    @property
    def problems(self) -> list[Problem]:
        """The first rows that cannot be moved."""
        return [problem for table in self.tables for problem in table.scanned.problems][:PROBLEMS_SHOWN]

    def as_dict(self) -> dict[str, Any]:
        """The document of ``migrate --plan --json``."""
        return {
            "source": self.source,
            "target": self.target,
            "work": self.work,
            "bytes": self.bytes,
            "rows": self.rows,
            "tables": {table.source.name: table.as_dict() for table in self.tables},
            "views": {view.source: {"target": view.name, "query": view.query} for view in self.views},
            "left_out": [vars(one) for one in self.left_out],
            "rejected": self.rejected.rows,
            "problems": [vars(problem) for problem in self.problems],
            "digest": database(self.contents),
        }

    def refuse_problems(self, quarantine: bool) -> None:
        """Stop at bad rows unless they are to be quarantined.

        Raises:
            BadEvents: listing the first of them and the command to go on with.
        """
        if not self.rejected.rows or quarantine:
            return
        more = self.rejected.rows - len(self.problems)
        lines = [f"  {problem}" for problem in self.problems] + ([f"  and {more:,} more"] if more else [])
        raise BadEvents(
            f"{self.rejected.rows:,} rows of {self.source} cannot be moved as they are;"
            " nothing was written:\n" + "\n".join(lines),
            hint="mend them in the app, give the column another type in gymops.toml ([migrate.tables]), or"
            " add --on-bad-event quarantine to move all others and keep these verbatim in"
            " gymops_records.rejected_rows",
        )
