"""Who runs a restore-test: so that what a killed one left is told from what another one needs."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress

from gymops.errors import Changed, Exists
from gymops.store.objects import Objects, named

SECONDS = 1200.0
"""How long a process of another machine may say nothing: its proof is one call of at most 15 minutes."""


class Leases:
    """``tests-running/ENV/ID.json``, written anew while a test runs."""

    def __init__(self, objects: Objects, environment: str, me: Mapping[str, object] | None = None) -> None:
        self._objects = objects
        self._folder = f"tests-running/{named(environment)}/"
        self._me = dict(me or {"host": socket.gethostname(), "pid": os.getpid()})

    def hold(self, test: str, beat: int) -> None:
        """Say that it runs; ``beat``: another number each time."""
        data = json.dumps({**self._me, "beat": beat}).encode()
        found = self._objects.get(self._key(test))
        with suppress(Exists, Changed):  # whoever goes on with the same test holds it as well
            if found is None:
                self._objects.create(self._key(test), data)
            else:
                self._objects.replace(self._key(test), data, found[1])

    def held(self, test: str) -> bool:
        """Whether somebody runs it; nobody does whose process is gone, or who was silent for too long."""
        found = self._objects.get(self._key(test))
        if found is None or found[2] > SECONDS:
            return False
        holder = json.loads(found[0])
        if holder["host"] != self._me["host"]:
            return True
        return holder["pid"] == self._me["pid"] or _lives(int(holder["pid"]))

    def drop(self, test: str) -> None:
        """It runs no more."""
        self._objects.delete(self._key(test))

    def _key(self, test: str) -> str:
        return f"{self._folder}{test}.json"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
