"""Tables of every shape."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from gymops.errors import SourceError
from gymops.eventlog.sqlite import SqliteFile
from gymops.eventlog.workspace import SqliteLog
from tests.integration.sqlite_files.files import INSERT, ids, read, refused
from tests.sources import LOOSE, TITAN, App, change, event, event_id, write


def test_utf16_is_read_as_it_is(tmp_path: Path) -> None:
    path = write(
        tmp_path / "gym.db",
        [
            event(1, payload='{"note": "Klimmzüge 🏋"}'),
            event(2),
            event(3, event_type=b"blob"),
            event(4, payload=None),
        ],
        LOOSE,
        pragmas=("encoding = 'UTF-16le'",),
    )
    # A lone surrogate, which SQLite would silently merge with what comes behind it.
    change(path, "UPDATE events SET payload = CAST(x'7b0022003dd822003a0031007d00' AS TEXT) WHERE id = 2")
    with closing(SqliteLog(path, "alice")) as log:
        events = list(log.events("alice"))
        assert [(found.event_id, found.payload) for found in events] == [
            (events[0].event_id, '{"note": "Klimmzüge 🏋"}')
        ]
        rejected = list(log.rejected("alice"))
    assert [row.rowid for row in rejected] == [2, 3, 4]
    surrogate = rejected[0]
    at = surrogate.columns.index("payload")
    assert surrogate.types[at] == "text UTF-16le"
    assert surrogate.cells[at] == bytes.fromhex("7b0022003dd822003a0031007d00")
    assert surrogate.cells[surrogate.columns.index("event_id")] == event_id(2).encode("utf-16-le")
    assert surrogate.cells[surrogate.columns.index("id")] == b"2"


def test_a_table_without_rowid(tmp_path: Path) -> None:
    path = write(tmp_path / "gym.db", [], TITAN.replace("AUTOINCREMENT", "") + " WITHOUT ROWID")
    refused(path, "WITHOUT ROWID, and so does not keep the order of its events", "[migrate.events]")


def test_a_view(tmp_path: Path) -> None:
    path = write(tmp_path / "gym.db", [event(1)])
    change(path, "ALTER TABLE events RENAME TO log", "CREATE VIEW events AS SELECT * FROM log")
    refused(path, "'events' is a view", "[migrate.events]")


def test_names_in_another_case(tmp_path: Path) -> None:
    columns = "Id INTEGER PRIMARY KEY, Event_ID, Timestamp, EVENT_TYPE, Payload, Schema_VERSION"
    path = write(
        tmp_path / "gym.db",
        map(event, (1, 2)),
        f"CREATE TABLE EVENTS ({columns})",
        "CREATE TABLE Projections (KEY TEXT, Data TEXT, Updated_At TEXT)",
        "INSERT INTO Projections VALUES ('a', '{}', '2024-01-01T00:00:00Z')",
    )
    with closing(SqliteLog(path, "alice")) as log:
        contents = log.read()["alice"].contents
        assert (contents.unknown_tables, contents.shape.extra) == ((), ())
        assert [row[1] for row in log.table_rows("projections")] == ['["a"]']
    assert read(path) == ids(1, 2)


@pytest.mark.parametrize("taken", [("rowid",), ("rowid", "_rowid_"), ("ROWID", "oid", "_RowId_")])
def test_a_column_called_rowid(tmp_path: Path, taken: tuple[str, ...]) -> None:
    """The order is the table's, and the column is kept like any other."""
    ddl = LOOSE[:-1] + "".join(f', "{name}"' for name in taken) + ")"
    path = write(tmp_path / "gym.db", map(event, (1, 2, 3)), ddl)
    change(path, *(f'UPDATE events SET "{name}" = 7 - id' for name in taken))
    assert read(path) == ids(1, 2, 3)
    with closing(SqliteLog(path, "alice")) as log:
        assert sorted(log.read()["alice"].contents.shape.extra) == sorted(taken)


def test_a_table_whose_columns_hide_its_rowid(tmp_path: Path) -> None:
    ddl = (
        "CREATE TABLE events (event_id, timestamp, event_type, payload, schema_version, rowid, oid, _rowid_)"
    )
    refused(write(tmp_path / "gym.db", [event(1)], ddl), "hide its rowid")


def test_a_primary_key_that_is_not_the_rowid_is_kept(tmp_path: Path) -> None:
    """``INTEGER PRIMARY KEY DESC`` is SQLite's own exception to its rule."""
    path = write(tmp_path / "gym.db", map(event, (1, 2)), LOOSE.replace("PRIMARY KEY", "PRIMARY KEY DESC"))
    change(path, "UPDATE events SET id = 10 - rowid")
    assert read(path) == ids(1, 2)
    with closing(SqliteLog(path, "alice")) as log:
        assert log.read()["alice"].contents.shape.extra == ("id",)


def test_the_lowest_and_highest_rowids_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "gym.db", map(event, (1, 2, 3, 4)), LOOSE)
    lowest, highest = -(2**63), 2**63 - 1
    change(
        path,
        f"UPDATE events SET id = {lowest} WHERE id = 1",
        "UPDATE events SET id = -5 WHERE id = 2",
        f"UPDATE events SET id = {highest} WHERE id = 4",
    )
    assert read(path) == ids(1, 2, 3, 4)


def test_computed_columns(tmp_path: Path) -> None:
    """What is computed when it is read holds nothing, and may fail on the very row that is bad."""
    path = write(tmp_path / "gym.db", [event(1), event(2, payload="{"), event(3)], LOOSE)
    change(path, "ALTER TABLE events ADD COLUMN reps AS (json_extract(payload, '$.reps'))")
    assert read(path) == ids(1, 3)
    with closing(SqliteLog(path, "alice")) as log:
        (bad,) = log.rejected("alice")
        assert "reps" not in bad.columns

    stored = LOOSE[:-1] + ", loud TEXT GENERATED ALWAYS AS (upper(event_type)) STORED)"
    path = write(tmp_path / "stored.db", [event(1)], stored)
    with closing(SqliteLog(path, "alice")) as log:
        assert [row[7] for rows in log.rows("alice") for row in rows] == ['{"loud": "SETLOGGED"}']


def test_an_event_column_that_is_computed(tmp_path: Path) -> None:
    path = tmp_path / "gym.db"
    change(
        path,
        "CREATE TABLE events (id INTEGER PRIMARY KEY, event_id, timestamp, payload, schema_version,"
        " event_type AS (json_extract(payload, '$.type')))",
        "INSERT INTO events (event_id, timestamp, payload)"
        f" VALUES ('{event_id(1)}', '2024-01-01T00:00:00Z', '{{\"type\": \"SetLogged\"}}')",
    )
    with closing(SqliteLog(path, "alice")) as log:
        assert [found.event_type for found in log.events("alice")] == ["SetLogged"]


def test_a_strict_table_and_one_whose_key_is_text(tmp_path: Path) -> None:
    strict = write(tmp_path / "a.db", map(event, (2, 1)), TITAN + " STRICT")
    assert read(strict) == ids(2, 1)
    neon = tmp_path / "b.db"
    change(
        neon,
        "CREATE TABLE events"
        " (event_id TEXT PRIMARY KEY, event_type TEXT, timestamp TEXT, data TEXT, created_at TEXT)",
        *(
            f"INSERT INTO events VALUES ('{event_id(n)}', 'SetLogged', '2024-01-01T00:00:0{n}Z', '{{}}', 'x')"
            for n in (3, 1, 2)
        ),
    )
    assert read(neon) == ids(3, 1, 2)


def test_a_log_without_events(tmp_path: Path) -> None:
    path = write(tmp_path / "gym.db", [])
    with closing(SqliteLog(path, "alice")) as log:
        assert log.digest().events == 0
        App(path, INSERT).close()
        assert list(log.events("alice")) == [], "what came later belongs to the next run"
    assert read(path) == ids(900)


def test_a_column_that_goes_away_meanwhile_is_not_read_as_its_name(tmp_path: Path) -> None:
    """SQLite takes a name in double quotes that is no column for a text."""
    path = write(tmp_path / "gym.db", [event(1)])
    file = SqliteFile(path, "alice")
    with file.connection() as connection:
        contents = file.contents(connection, lambda _: None)
    change(path, "ALTER TABLE events RENAME COLUMN payload TO body")
    with pytest.raises(SourceError, match="no such column"), file.connection() as connection:
        list(file.batches(connection, contents.shape, after=0, upto=1))


def test_a_projection_table_without_rowid(tmp_path: Path) -> None:
    path = write(
        tmp_path / "gym.db",
        [event(1)],
        TITAN,
        "CREATE TABLE projections (key TEXT PRIMARY KEY, data TEXT, updated_at TEXT) WITHOUT ROWID",
        "INSERT INTO projections VALUES ('b', '{', 'x'), ('a', '{}', '2024-01-01T00:00:00Z'),"
        " ('c', '{}', '2024-01-01T00:00:00Z')",
    )
    with closing(SqliteLog(path, "alice")) as log:
        log.read()
        assert [row[1] for row in log.table_rows("projections")] == ['["a"]', '["c"]']
        assert [(row.rowid, row.reason[:5]) for row in log.rejected("alice")] == [(2, "data:")]
