"""A server that is backed up, shared by the tests of this folder; each has an environment of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gymops.backup import wal
from gymops.backup.keys import open_keys
from gymops.backup.take import Taker
from gymops.backup.tiers import DEFAULT
from gymops.backup.vault import Vault
from gymops.clock import Clock, SystemClock
from gymops.pg import embedded, schema
from gymops.store.directory import DirectoryObjects
from gymops.store.folder import FolderBlobs
from tests.conftest import _FAST

CLOCK = SystemClock()


@dataclass(frozen=True)
class Backed:
    """An environment: its server, and where its backups go."""

    url: str
    binaries: Path
    vault: Vault
    folder: Path

    def taker(self, **given: Any) -> Taker:
        return Taker(self.url, self.binaries, self.vault, given.pop("tiers", DEFAULT), **given)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return [row[0] for row in cursor] if cursor.description else []

    def append(self, user: str, events: int) -> None:
        """So many more events of a user."""
        self.sql(APPEND, user, user, events)


APPEND = """
INSERT INTO events (user_id, position, event_id, "timestamp", event_type, payload)
SELECT %s, coalesce((SELECT max(position) FROM events WHERE user_id = %s), 0) + n, gen_random_uuid(), now(),
    'SetLogged', jsonb_build_object('n', n)
FROM generate_series(1, %s) AS n
"""


def vault_in(folder: Path, environment: str, clock: Clock = CLOCK) -> Vault:
    """A store in a folder, its keys beside it."""
    return Vault(
        environment,
        DirectoryObjects(folder / "store" / "records", clock),
        FolderBlobs(folder / "store" / "data", clock),
        open_keys(folder / "keys", {}),
        folder / "work",
        str(folder / "store"),
    )


@pytest.fixture(scope="session")
def backup_server() -> Iterator[embedded.Server]:
    with embedded.temporary(clock=CLOCK, settings=_FAST) as server:
        schema.upgrade(server.url(), clock=CLOCK)
        yield server


@pytest.fixture
def backed(backup_server: embedded.Server, tmp_path: Path) -> Iterator[Backed]:
    """An environment of the server's, and its log empty."""
    name = f"e{uuid.uuid4().hex[:8]}"
    found = Backed(backup_server.url(), backup_server.binaries, vault_in(tmp_path, name), tmp_path)
    found.sql(EMPTY)
    yield found
    found.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s",
              wal.slot(name))  # fmt: skip


EMPTY = """
DO $$ BEGIN
    ALTER TABLE events DISABLE TRIGGER events_append_only;
    DELETE FROM events;
    ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only;
END $$
"""
