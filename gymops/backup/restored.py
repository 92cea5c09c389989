"""The record of a restore: ``restores/ENV/ID.json``, signed; and how one that was to take a place did not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gymops import __version__
from gymops.backup import envelope
from gymops.backup.evidence import Result
from gymops.backup.keys import Keys
from gymops.errors import GymopsError
from gymops.store.objects import Objects, named
from gymops.store.records import plain


class SwitchedBack(GymopsError):
    """It did not work, and everything is as it was."""

    exit_code = 5
    code = "switched_back"


class NotSwitchedBack(GymopsError):
    """It did not work, and it could not be undone either."""

    exit_code = 6
    code = "not_switched_back"


@dataclass(frozen=True)
class Restoration:
    """What was brought back, to where, and what the proof said."""

    id: str
    environment: str
    recovery_point: str | None
    restored_to: datetime
    to: str
    """Its name; after a switch the one before is there."""
    result: Result
    seal: int | None
    expected: int | None
    restored: int | None
    """Events."""
    digest: str | None
    """Of what came back of those."""
    lost_events: int | None
    began: datetime
    ended: datetime
    phases: Mapping[str, float]
    message: str | None = None
    switched: int | None = None
    """The seal that the environment goes on with; None: it was not pointed at it."""
    kept: str | None = None
    """What the database before is called since, beside it on its server; None: it is in ``to``."""
    gymops: str = __version__


def record(objects: Objects, keys: Keys, one: Restoration) -> None:
    """Write it down."""
    document = json.dumps(plain(one), sort_keys=True, separators=(",", ":")).encode()
    objects.create(f"restores/{named(one.environment)}/{one.id}.json", envelope.close(document, keys))
