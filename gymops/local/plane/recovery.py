"""Automated backups of one instance: base backups, the WAL archive, and how far a restore can go.

A restore to time T holds exactly the commits before the first one past T in WAL order. PostgreSQL stops
there by itself, if there is a commit past T in the archive; with none it ends in an error. So the archive
is closed off by *marks*: a commit of ours whose moment is known, after which the segment is switched and
archived. What lies before the last mark can be restored; a database that has been idle since then moves the
limit on without a new one, and a restore beyond the mark aims at its position in the WAL instead of a time.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from gymops.clock import Clock, ticks
from gymops.errors import ServerError
from gymops.local.plane import postgres
from gymops.local.plane.context import parse
from gymops.local.plane.postgres import Database

_ARCHIVED_SECONDS = 60.0


@dataclass(frozen=True)
class Base:
    """A base backup and the earliest time it serves for."""

    name: str
    since: str


@dataclass
class Ledger:
    """What is known of an instance's automated backups; a file beside them."""

    bases: list[Base] = field(default_factory=list)
    mark_time: str = ""
    """When the last mark was committed: no later than its commit's own time."""
    mark_lsn: str = ""
    settled_lsn: str = ""
    """Where the WAL stood after the mark; while it stands there, nothing was committed."""
    latest: str = ""
    """The latest restorable time."""


_TURNS: dict[Path, threading.Lock] = {}
"""One thread at a time changes what is known of an instance: the schedule and any request may."""


class AutomatedBackups:
    """The automated backups of one instance, which can outlive it."""

    def __init__(self, folder: Path) -> None:
        self._turn = _TURNS.setdefault(folder, threading.Lock())
        self.folder = folder
        self.wal = folder / "wal"
        self._file = folder / "ledger.json"

    def prepare(self, database: Database) -> None:
        """Let the server archive into this folder."""
        self.wal.mkdir(parents=True, exist_ok=True, mode=0o700)
        database.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        link = database.archive
        if not link.is_symlink():
            link.symlink_to(self.wal)

    def read(self) -> Ledger:
        """What is known; nothing before the first base backup."""
        try:
            document = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Ledger()
        return Ledger(**{**document, "bases": [Base(**base) for base in document["bases"]]})

    def take_base(self, database: Database, now: datetime, *, durable: bool) -> None:
        """Take a base backup and mark the archive, so that a restore can begin here."""
        name = now.strftime("%Y%m%dT%H%M%S%f")
        postgres.base_backup(database, self.folder / "base" / name, durable=durable)
        with postgres.connect(database) as connection:
            row = connection.execute("select clock_timestamp()").fetchone()
        since = row[0] if row else now
        with self._turn:
            ledger = self.read()
            ledger.bases.append(Base(name, since.isoformat()))
            self._write(ledger)

    def mark(self, database: Database, clock: Clock) -> datetime:
        """Close off the archive; returns the latest restorable time.

        Raises:
            ServerError: the segment was not archived in time.
        """
        with self._turn:
            return self._mark(database, clock)

    def _mark(self, database: Database, clock: Clock) -> datetime:
        ledger = self.read()
        with postgres.connect(database) as connection:
            row = connection.execute("select pg_current_wal_insert_lsn()::text, clock_timestamp()").fetchone()
            if row and row[0] == ledger.settled_lsn:
                ledger.latest = row[1].isoformat()
                self._write(ledger)
                return parse(ledger.latest)
            with connection.transaction():
                # The id makes it a commit that is written to the WAL, with its time.
                row = connection.execute("select clock_timestamp(), pg_current_xact_id()").fetchone()
            committed = row[0] if row else None
            row = connection.execute(
                "select lsn::text, pg_walfile_name(lsn - 1) from pg_current_wal_insert_lsn() lsn"
            ).fetchone()
            lsn, segment = row if row else ("", "")
            connection.execute("select pg_switch_wal()")
            row = connection.execute("select pg_current_wal_insert_lsn()::text").fetchone()
            settled = row[0] if row else ""
        self._await(segment, clock)
        if committed is None:
            raise ServerError("the database gave no time")
        # A microsecond less: the mark's commit is past it for certain.
        latest = (committed - timedelta(microseconds=1)).isoformat()
        self._write(Ledger(ledger.bases, mark_time=latest, mark_lsn=lsn, settled_lsn=settled, latest=latest))
        return parse(latest)

    def window(self) -> tuple[datetime, datetime] | None:
        """The earliest and the latest restorable time; None when there is nothing to restore from."""
        ledger = self.read()
        if not ledger.bases or not ledger.latest:
            return None
        earliest = min(parse(base.since) for base in ledger.bases)
        latest = parse(ledger.latest)
        return (earliest, latest) if earliest <= latest else None

    def restore(self, database: Database, moment: datetime) -> Mapping[str, str]:
        """Put the data back as a recovery to this time will need it; returns the recovery's settings."""
        ledger = self.read()
        usable = [base for base in ledger.bases if parse(base.since) <= moment]
        base = max(usable, key=lambda one: parse(one.since))
        postgres.copy_data(self.folder / "base" / base.name, database.data)
        postgres.recover_from(database, self.wal)
        settings = {"recovery_target_action": "promote", "recovery_target_timeline": "latest"}
        if moment >= parse(ledger.mark_time):
            # Nothing was committed since: no later commit could stop the recovery.
            return settings | {"recovery_target_lsn": ledger.mark_lsn, "recovery_target_inclusive": "off"}
        return settings | {"recovery_target_time": moment.isoformat()}

    def forget(self, before: datetime) -> None:
        """Drop base backups that the retention no longer covers, but never the last one before it."""
        with self._turn:
            ledger = self.read()
            old = sorted(
                (base for base in ledger.bases if parse(base.since) < before), key=lambda one: one.since
            )
            for base in old[:-1]:
                shutil.rmtree(self.folder / "base" / base.name, ignore_errors=True)
                ledger.bases.remove(base)
            if old[:-1]:
                self._write(ledger)

    def drop(self) -> None:
        """Delete all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _await(self, segment: str, clock: Clock) -> None:
        archived = self.wal / f"{segment}.gz"
        if not any(archived.exists() for _ in ticks(clock, timeout=_ARCHIVED_SECONDS, interval=0.01)):
            raise ServerError(f"PostgreSQL did not archive {segment}")

    def _write(self, ledger: Ledger) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(asdict(ledger)), encoding="utf-8")
        new.replace(self._file)
