"""One pass over a table: every row formatted as PostgreSQL would send it, hashed, or rejected."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from math import inf

from gymops.eventlog.digest import RejectedHasher
from gymops.eventlog.spool import Unique
from gymops.tables.digest import Hasher
from gymops.tables.kinds import BIGINT, BYTEA, DOUBLE, NULL, NUMERIC, TEXT, UUID, BadText, MisfitError
from gymops.tables.plan import PROBLEMS_SHOWN, ColumnPlan, Problem, Scanned, TablePlan
from gymops.tables.schema import Table
from gymops.tables.snapshot import Row, Snapshot
from gymops.tables.staging import Verbatim

_NUMBERS = {"integer", "real"}
_INJECTIVE = [(BIGINT, _NUMBERS), (DOUBLE, _NUMBERS), (NUMERIC, _NUMBERS), (UUID, {"text"})]
_INJECTIVE += [(TEXT, {"text"}), (BYTEA, {"blob"}), (BYTEA, {"text"})]


def scan(
    snapshot: Snapshot,
    table: Table,
    columns: Sequence[ColumnPlan],
    keys: Sequence[tuple[str, Sequence[str]]],
    rejected: RejectedHasher,
    progress: Callable[[int], None],
) -> Scanned:
    """Read a table; ``keys`` are the (name, columns) that must be unique, also once they are converted."""
    result, hasher = Scanned(), Hasher()
    names = [column.source.name for column in columns]
    forms = [column.kind.sending for column in columns]
    head = struct.pack(">h", len(forms))
    seen = [
        (name, [names.index(part) for part in parts], Unique())
        for name, parts in keys
        if not all(_injective(columns[names.index(part)]) for part in parts)
    ]
    ordinal = 0
    ragged = deque(snapshot.staged.ragged.get(table.name, ()))

    def refuse(number: int, reason: str, row: Verbatim) -> None:
        if len(result.problems) < PROBLEMS_SHOWN:
            result.problems.append(Problem(table.name, number, reason))
        rejected.add("", table.name, *row)

    def refuse_ragged(before: float) -> None:
        """Those that stand before a line: rejected rows are in the order of their numbers."""
        while ragged and ragged[0].line < before:
            one = ragged.popleft()
            refuse(one.line, one.reason, one.verbatim)

    for batch in snapshot.rows(table, names):
        records = []
        for row in batch:
            try:
                parts = [form[type(value)](value) for form, value in zip(forms, row[1:], strict=True)]
                for name, places, unique in seen:
                    key = [parts[place] for place in places]
                    if NULL not in key and not unique.add(b"".join(key)):
                        raise MisfitError(f"{name}: the same as an earlier row's, once converted")
            except MisfitError as error:
                reason = _blame(columns, row, result) or str(error)
                result.rejected.append(ordinal)
                refuse_ragged(row[0])
                refuse(row[0], reason, verbatim(snapshot, columns, row))
            else:
                records.append(head + b"".join(parts))
            ordinal += 1
        hasher.add(records)
        progress(len(batch))
    # No row that is read has their numbers: they count, and are kept, beside them.
    result.rejected.extend(range(ordinal, ordinal + len(snapshot.staged.ragged.get(table.name, ()))))
    refuse_ragged(inf)
    for _, _, unique in seen:
        unique.close()
    result.content = hasher.content()
    return result


def lines(
    snapshot: Snapshot, table: Table, columns: Sequence[ColumnPlan], rejected: Sequence[int]
) -> Iterator[list[bytes]]:
    """The rows as COPY reads them, some at a time, without those that were rejected."""
    loaded = [(at, column.kind.writing) for at, column in enumerate(columns, 1) if not column.generated]
    for rows, _ in _sorted(snapshot, table, columns, rejected):
        yield [b"\t".join([form[type(row[at])](row[at]) for at, form in loaded]) + b"\n" for row in rows]


def records(snapshot: Snapshot, table: TablePlan) -> Iterator[tuple[Row, bytes]]:
    """The rows that are moved, each with what is hashed of it."""
    fields = [column.kind.field for column in table.columns]
    head = struct.pack(">h", len(fields))
    for rows, _ in _sorted(snapshot, table.source, table.columns, table.scanned.rejected):
        for row in rows:
            yield row, head + b"".join(form(value) for form, value in zip(fields, row[1:], strict=True))


def rejects(
    snapshot: Snapshot, table: Table, columns: Sequence[ColumnPlan], rejected: Sequence[int]
) -> Iterator[Row]:
    """Those that were."""
    if rejected:
        for _, rows in _sorted(snapshot, table, columns, rejected):
            yield from rows


def _sorted(
    snapshot: Snapshot, table: Table, columns: Sequence[ColumnPlan], rejected: Sequence[int]
) -> Iterator[tuple[list[Row], list[Row]]]:
    """The rows that are moved and those that are not, some at a time."""
    ordinal = at = 0
    for batch in snapshot.rows(table, [column.source.name for column in columns]):
        good, bad = batch, []
        if at < len(rejected) and rejected[at] < ordinal + len(batch):
            end = bisect_left(rejected, ordinal + len(batch), at)
            places = {place - ordinal for place in rejected[at:end]}
            good = [row for place, row in enumerate(batch) if place not in places]
            bad = [row for place, row in enumerate(batch) if place in places]
            at = end
        ordinal += len(batch)
        yield good, bad


def verbatim(
    snapshot: Snapshot, columns: Sequence[ColumnPlan], row: Row
) -> tuple[list[str], list[str], list[bytes | None]]:
    """A row as it is stored: names, types and bytes of its columns, as ``rejected_events`` has them."""
    names, types, cells = [], [], []
    for column, value in zip(columns, row[1:], strict=True):
        names.append(column.source.name)
        kind, cell = _cell(value, snapshot.encoding)
        types.append(kind)
        cells.append(cell)
    return names, types, cells


def reason(columns: Sequence[ColumnPlan], row: Row) -> str | None:
    """Why a row was rejected; None when only its key is another's too."""
    return _blame(columns, row, Scanned())


def _cell(value: object, encoding: str) -> tuple[str, bytes | None]:
    text = "text" if encoding == "UTF-8" else f"text {encoding}"
    if value is None:
        return "null", None
    if isinstance(value, str):
        return text, value.encode(encoding)
    if isinstance(value, bytes):
        return (text if isinstance(value, BadText) else "blob"), bytes(value)
    return ("integer" if isinstance(value, int) else "real"), repr(value).encode()


def _blame(columns: Sequence[ColumnPlan], row: Row, result: Scanned) -> str | None:
    found = []
    for column, value in zip(columns, row[1:], strict=True):
        try:
            column.kind.field(value)
        except MisfitError as error:
            found.append(f"{column.source.name}: {error}")
            result.misfits[column.source.name] = result.misfits.get(column.source.name, 0) + 1
    return "; ".join(found) or None


def _injective(column: ColumnPlan) -> bool:
    """Whether two values that differ in SQLite differ in the target."""
    held = {name for name, count in column.values.items() if count and name != "null"}
    return not held or any(column.kind is kind and held <= kinds for kind, kinds in _INJECTIVE)
