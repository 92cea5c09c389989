"""What RDS does by itself: keep the restorable time up, back up in the window, apply what waited for it."""

from __future__ import annotations

import contextlib
import threading
import time
from datetime import datetime, timedelta

import psycopg

from gymops.errors import GymopsError
from gymops.local.plane import ministack
from gymops.local.plane.context import Context, parse
from gymops.local.plane.faults import Fault
from gymops.local.plane.rds import records
from gymops.local.plane.rds.instances import Instances
from gymops.local.plane.rds.records import OURS, Record
from gymops.local.plane.rds.snapshots import Snapshots

_LOOK_SECONDS = 5.0


class Schedule:
    """A thread that looks at every instance now and then."""

    def __init__(self, context: Context, instances: Instances, snapshots: Snapshots) -> None:
        self._context = context
        self._instances = instances
        self._snapshots = snapshots
        self._marked = 0.0
        self._busy = threading.Lock()

    def start(self) -> None:
        """Look from now on."""

        def run() -> None:
            while True:
                time.sleep(_LOOK_SECONDS)
                self.tick()

        threading.Thread(target=run, daemon=True, name="gymops-schedule").start()

    def tick(self) -> None:
        """Do what is due."""
        with self._busy:
            archive = self._context.settings.archive_seconds
            mark = archive > 0 and time.monotonic() - self._marked >= archive
            if mark:
                self._marked = time.monotonic()
            for (account, region, _), record in list(records.rds()._instances._data.items()):
                if OURS in record and record["DBInstanceStatus"] == "available":
                    with (
                        ministack.scope(account, region),
                        contextlib.suppress(Fault, GymopsError, psycopg.Error, OSError),
                    ):
                        self._look_at(record, mark=mark)

    def _look_at(self, record: Record, *, mark: bool) -> None:
        if not record["BackupRetentionPeriod"]:
            return
        if mark:
            records.backups(self._context, record["DbiResourceId"]).mark(
                records.database(self._context, record), self._context.clock
            )
        now = self._context.clock.now()
        last = record[OURS].setdefault("backed_up", record["InstanceCreateTime"])
        if due(record["PreferredBackupWindow"], parse(last), now):
            record[OURS]["backed_up"] = now.isoformat()
            self._snapshots.automated(record)


def due(window: str, last: datetime, now: datetime) -> bool:
    """Whether a daily window (``03:00-04:00``, UTC) has begun since ``last``."""
    hours, minutes = (int(part) for part in window.split("-")[0].split(":"))
    begins = now.replace(hour=hours, minute=minutes, second=0, microsecond=0)
    if begins > now:
        begins -= timedelta(days=1)
    return last < begins <= now
