"""SQLite files that tests read, and apps that write to them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from gymops.errors import SourceError
from gymops.eventlog.workspace import SqliteLog
from tests.sources import event, event_id

WAL = ("journal_mode = wal",)
INSERT = f"""
columns = "event_id, timestamp, event_type, payload, schema_version"
c.execute(f"INSERT INTO events ({{columns}}) VALUES (?, ?, ?, ?, ?)", {event(900)!r})
"""


def read(path: Path, user: str = "alice") -> list[str]:
    """The ids of a log's events, in order."""
    with closing(SqliteLog(path, user)) as log:
        return [str(found.event_id) for user_id in log.users for found in log.events(user_id)]


def ids(*numbers: int) -> list[str]:
    return [event_id(number) for number in numbers]


def refused(path: Path, says: str, hint: str = "") -> SourceError:
    """Reading fails, naming the file, with this in the message and the hint."""
    with pytest.raises(SourceError) as error:
        read(path)
    assert str(path) in error.value.message
    assert says in error.value.message.replace(str(path), "FILE"), error.value.message
    assert error.value.hint
    assert hint in error.value.hint
    return error.value
