"""A directory of CSV files as a database: one table per file, types by their values, keys that hold.

Every file is read once into a private database without a name, which decides; then it is read a second
time by another parser (Python's ``csv``), and compared with that database cell by cell. So whatever is
proved of the database is proved of the files.
"""

from __future__ import annotations

import csv
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from gymops.errors import SourceError
from gymops.eventlog.opening import show
from gymops.eventlog.shapes import quote
from gymops.tables import inferred, separated
from gymops.tables.inferred import Inferred

Verbatim = tuple[list[str], list[str], list[bytes | None]]


@dataclass(frozen=True)
class Ragged:
    """A row with more or fewer cells than its header: no table holds it."""

    line: int
    reason: str
    verbatim: Verbatim
    """Names, types and bytes of its cells."""


@dataclass(frozen=True)
class Staged:
    """What the tables do not show of the files they come from."""

    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Table -> what was decided about it."""
    ragged: Mapping[str, list[Ragged]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


@dataclass
class _File:
    """A file while it is read."""

    path: Path
    raw: str
    """Where its texts are at first."""
    separator: str
    header: list[str]
    ragged: list[Ragged] = field(default_factory=list)
    columns: list[Inferred] = field(default_factory=list)
    key: str | None = None
    references: list[tuple[str, _File]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.stem

    def sql(self, column: str) -> str:
        """A column's texts: what its type takes for NULL is NULL."""
        at = self.header.index(column)
        return f"c{at}" if self.columns[at].declared == "TEXT" else f"nullif(c{at}, '')"


def is_directory(path: Path) -> bool:
    """Whether a place holds CSV files, and no SQLite file of an app."""
    try:
        return path.is_dir() and bool(_files(path)) and not any([*path.glob("*.db"), *path.glob("*/*.db")])
    except OSError:
        return False


def stage(folder: Path, connection: sqlite3.Connection) -> Staged:
    """Read the files of a directory into an empty database.

    Raises:
        SourceError: one has no header, or cannot be read, or changed meanwhile.
    """
    connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
    with _readable(), _long_cells():
        connection.execute("BEGIN")
        files = [_read(path, f"temp.raw{at}", connection) for at, path in enumerate(_files(folder))]
        _refuse_twins(files)
        for file in files:
            file.columns = [_inferred(file, at, connection) for at in range(len(file.header))]
            _find_key(file, files, connection)
        for file in files:
            _find_references(file, files, connection)
            file.notes += [column.note for column in file.columns if column.note]
            _fill(file, connection)
        connection.execute("COMMIT")
        for file in files:
            connection.execute(f"DROP TABLE {file.raw}")
            _read_again(file, connection)
    others = sorted(path.name for path in folder.iterdir() if path not in _files(folder))
    return Staged(
        {file.name: tuple(file.notes) for file in files},
        {file.name: file.ragged for file in files},
        tuple(f"file {show(Path(name))}" for name in others),
    )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.is_file())


def _read(path: Path, raw: str, connection: sqlite3.Connection) -> _File:
    """The texts of a file, as they are, numbered by their lines."""
    with path.open("rb") as opened:
        if opened.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise SourceError(f"{show(path)}: it is UTF-16", hint="save it as UTF-8")
    separator = separated.separator(path)
    records = separated.records(path, separator)
    first = next(records, None)
    if first is None:
        raise SourceError(f"{show(path)}: the file is empty", hint="a header line names its columns")
    header = [(cell or "").strip() for cell in first.cells]
    _refuse_header(path, header)
    file = _File(path, raw, separator, header)
    file.notes.append(f"UTF-8, {separated.SEPARATORS[separator]} between cells; types by all their values")
    width = len(header)
    connection.execute(f"CREATE TABLE {raw} ({', '.join(f'c{at}' for at in range(width))})")
    insert = f"INSERT INTO {raw} (rowid{''.join(f', c{at}' for at in range(width))}) VALUES (?"
    insert += ", CAST(? AS TEXT)" * width + ")"
    for line, cells in records:
        values = [None if cell is None else _bytes(cell) for cell in cells]
        if len(cells) == width:
            connection.execute(insert, (line, *values))
            continue
        names = [header[at] if at < width else f"cell {at + 1}" for at in range(len(cells))]
        reason = f"line {line} of {path.name} has {len(cells)} cells, its header {width}"
        types = ["null" if value is None else "text" for value in values]
        file.ragged.append(Ragged(line, reason, (names, types, values)))
    return file


def _refuse_header(path: Path, header: list[str]) -> None:
    hint = "the first line names every column, each once, and with a word"
    seen: set[str] = set()
    for at, name in enumerate(header, 1):
        if not name:
            raise SourceError(f"{show(path)}: its header has no name for column {at}", hint=hint)
        if name.lower() in seen:
            raise SourceError(f"{show(path)}: its header names {name!r} twice", hint=hint)
        wrong = "\0" in name or name != _bytes(name).decode(errors="replace")
        if wrong or inferred.infer("", [name]).declared != "TEXT":
            raise SourceError(
                f"{show(path)}: its first line is no header, it holds {name.encode(errors='replace')!r}",
                hint=hint,
            )
        seen.add(name.lower())


def _refuse_twins(files: list[_File]) -> None:
    names: dict[str, _File] = {}
    for file in files:
        other = names.setdefault(file.name.lower(), file)
        if other is not file or file.name.lower().startswith("sqlite_") or show(Path(file.name)) != file.name:
            raise SourceError(f"{show(file.path)}: no table can have its name", hint="rename the file")


def _inferred(file: _File, at: int, connection: sqlite3.Connection) -> Inferred:
    texts = connection.execute(f"SELECT c{at} FROM {file.raw} WHERE c{at} <> ''")
    return inferred.infer(file.header[at], (text for (text,) in texts))


def _find_key(file: _File, files: list[_File], connection: sqlite3.Connection) -> None:
    """``id``, or the table's name with ``_id``, or a first column that ends so and refers to no other file.

    It is the key if every row has one, and no two rows share it.
    """
    spelled = {name.lower(): name for name in file.header}
    named = ["id", *(f"{one}_id" for one in _singulars(file.name))]
    first = [name for name in spelled if name == file.header[0].lower() and name.endswith("_id")]
    first = [name for name in first if not _parents(name, file, files)]
    for name in [one for one in [*named, *first] if one in spelled]:
        column = spelled[name]
        query = f"SELECT count(*), count({file.sql(column)}), count(DISTINCT {file.sql(column)})"
        rows, present, distinct = connection.execute(f"{query} FROM {file.raw}").fetchone()
        declared = file.columns[file.header.index(column)].declared
        if rows == distinct and declared in ("BIGINT", "TEXT"):
            file.key = column
            return
        if name in named:
            why = f"{rows - present:,} rows have none, {present - distinct:,} one that another has"
            file.notes.append(f"{column} is no primary key: {why}")
            return
    file.notes.append("it has no primary key: no column of ids is its own")


def _find_references(file: _File, files: list[_File], connection: sqlite3.Connection) -> None:
    """A column like ``user_id`` refers to the key of ``users``, if all of its values are there."""
    for column in file.header:
        parents = _parents(column, file, files)
        if not parents:
            continue
        parent = parents[0]
        if parent.key is None:
            file.notes.append(f"{column} is no reference: {parent.name} has no primary key")
            continue
        at = file.header.index(column)
        wanted = parent.columns[parent.header.index(parent.key)].declared
        if file.columns[at].empty:
            note = f"{column} is empty throughout: as in {parent.name}"
            file.columns[at] = Inferred(wanted, note, empty=True)
        mine, theirs = file.sql(column), parent.sql(parent.key)
        if (declared := file.columns[at].declared) != wanted:
            file.notes.append(f"{column} is no reference to {parent.name}: {declared} here, {wanted} there")
            continue
        query = f"SELECT count(*) FROM {file.raw} WHERE {mine} NOT IN (SELECT {theirs} FROM {parent.raw})"
        (orphans,) = connection.execute(query).fetchone()
        if orphans:
            file.notes.append(f"{column} is no reference: {orphans:,} rows point to nothing in {parent.name}")
        else:
            file.references.append((column, parent))


def _parents(column: str, file: _File, files: list[_File]) -> list[_File]:
    """The files that a column like ``user_id`` speaks of, other than its own."""
    stem = column.lower().removesuffix("_id")
    if stem == column.lower():
        return []
    return [one for one in files if one is not file and stem in _singulars(one.name)]


def _singulars(name: str) -> set[str]:
    name = name.lower()
    found = {name}
    for ending, one in (("ies", "y"), ("es", ""), ("s", "")):
        if name.endswith(ending) and len(name) > len(ending) + 1:
            found.add(name.removesuffix(ending) + one)
    return found


def _rowid(file: _File) -> str:
    taken = {name.lower() for name in file.header}
    free = [name for name in ("rowid", "_rowid_", "oid") if name not in taken]
    if not free:
        raise SourceError(f"{show(file.path)}: columns rowid, _rowid_ and oid", hint="rename one of them")
    return free[0]


def _fill(file: _File, connection: sqlite3.Connection) -> None:
    """The table as it is declared; its rows keep the numbers of their lines."""
    parts = [
        f"{quote(name)} {column.declared}" + (" PRIMARY KEY" if name == file.key else "")
        for name, column in zip(file.header, file.columns, strict=True)
    ]
    parts += [
        f"FOREIGN KEY ({quote(column)}) REFERENCES {quote(parent.name)} ({quote(str(parent.key))})"
        for column, parent in file.references
    ]
    connection.execute(f"CREATE TABLE main.{quote(file.name)} ({', '.join(parts)})")
    names = ", ".join([_rowid(file), *map(quote, file.header)])
    # A text that is no UTF-8 can be given as bytes only.
    places = [
        f"CASE typeof(?{at}) WHEN 'blob' THEN CAST(?{at} AS TEXT) ELSE ?{at} END"
        for at in range(2, len(file.header) + 2)
    ]
    insert = f"INSERT INTO main.{quote(file.name)} ({names}) VALUES (?1, {', '.join(places)})"
    declared = [column.declared for column in file.columns]
    rows = connection.execute(f"SELECT rowid, * FROM {file.raw} ORDER BY rowid")
    for line, *texts in rows:
        values = map(inferred.value, declared, texts)
        connection.execute(insert, (line, *(_bytes(one) if isinstance(one, str) else one for one in values)))


def _read_again(file: _File, connection: sqlite3.Connection) -> None:
    """Compare the file with what became of it."""
    number, columns = _rowid(file), ", ".join(map(quote, file.header))
    staged = connection.execute(f"SELECT {number}, {columns} FROM main.{quote(file.name)} ORDER BY {number}")
    ragged = iter(file.ragged)
    with separated.opened(file.path) as opened:
        found = _second_reading(opened, file.separator)
        at, header = next(found, (1, []))
        same = [name.strip() for name in header] == file.header
        while same and (record := next(found, None)):
            at, cells = record
            if len(cells) == len(file.header):
                row = next(staged, (0,))
                same = row[0] == at and all(map(_same, row[1:], cells))
            else:
                one = next(ragged, None)
                same = one is not None and one.line == at and _texts(one) == cells
    if not same or next(staged, None) or next(ragged, None):
        raise SourceError(
            f"{show(file.path)}: read a second time, it holds something else from line {at} on",
            hint="the app may have written to it meanwhile: stop it, and run this again",
        )


def _texts(row: Ragged) -> list[str]:
    return [(cell or b"").decode(errors="surrogateescape") for cell in row.verbatim[2]]


def _second_reading(opened: Iterator[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(opened, delimiter=separator)
    line = 1
    for cells in reader:
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _same(value: str | float | None, text: str) -> bool:
    """Whether a value of the database is what the file says."""
    if value is None or isinstance(value, str):
        return (value or "") == text
    try:
        return Decimal(repr(value)) == Decimal(text)
    except InvalidOperation:
        return False


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


@contextmanager
def _long_cells() -> Iterator[None]:
    """Python's ``csv`` takes cells of 128 kB only, unless told."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(f"{error.filename}: {error.strerror}", hint="check its permissions") from error
