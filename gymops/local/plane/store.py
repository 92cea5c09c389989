"""What the plane itself remembers, saved beside the emulator's services: account and region -> kind -> id."""

from __future__ import annotations

import errno
import json
import shutil
import threading
from pathlib import Path
from typing import Any

from gymops.local.plane import ministack

_ROOM = 2_000_000
"""Bytes: the emulator writes each service's state beside the old one."""

Table = dict[str, dict[str, Any]]


class Store:
    """Small tables of JSON documents, one file, replaced whole after each change."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._tables: dict[str, Table] = {}
        self._written = ""
        if file.exists():
            self._tables = json.loads(file.read_text(encoding="utf-8"))

    def table(self, kind: str) -> Table:
        """The documents of one kind in the account and region being served."""
        return self._tables.setdefault(f"{ministack.account()}/{ministack.region()}/{kind}", {})

    def scopes(self) -> list[tuple[str, str]]:
        """Every account and region that has something."""
        found = {tuple(key.split("/")[:2]) for key, table in self._tables.items() if table}
        return sorted((account, region) for account, region in found)

    def save(self) -> bool:
        """Write it; False where there is no room."""
        with self._lock:
            new = self._file.with_suffix(".new")
            text = json.dumps(self._tables, default=str)
            if text == self._written:
                return True
            try:
                new.write_text(text, encoding="utf-8")
                new.replace(self._file)
                self._written = text
            except OSError as error:
                new.unlink(missing_ok=True)
                if error.errno != errno.ENOSPC:
                    raise
                return False
            return True

    def full(self) -> bool:
        """Whether the disk has no room for a state any more."""
        return shutil.disk_usage(self._file.parent).free < _ROOM
