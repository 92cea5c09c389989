"""Recovery points as tests need them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from gymops.backup.recovery_point import Kind, RecoveryPoint, StoredFile, new_id
from tests.unit.clocks import START


def point(ended: datetime = START, **given: Any) -> RecoveryPoint:
    """A base backup that ended at a time."""
    name = given.pop("id", new_id(ended))
    return RecoveryPoint(
        **{
            "id": name, "environment": "local", "kind": Kind.BASE, "tier": "daily",
            "began": ended - timedelta(minutes=1), "ended": ended, "server": "18.6",
            "files": (StoredFile(f"local/{name}/base.tar.zst.age", 100, "ab", 1_000),),
            "recipient": "age1", "gymops": "0.1.0", "system": "7", "timeline": 1,
            "start_lsn": "0/3000028", "end_lsn": "0/3000120", **given,
        }
    )  # fmt: skip
