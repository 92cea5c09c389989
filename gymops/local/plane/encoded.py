"""The emulator's state as JSON: only what changed since the last time is copied and encoded again.

A service keeps some tables of records. The bytes that ``marshal`` makes of a record tell whether it is as it
was the last time, at a small part of what it costs to copy it as Python does, and to encode it.
"""

from __future__ import annotations

import copy
import json
import marshal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gymops.local.plane import ministack

_BYTES = frozenset({"lambda", "ecr"})
"""Services whose records hold tens of MB, which a copy of Python's shares."""
_TABLES = ("AccountScopedDict", "AccountRegionScopedDict")

_Records = dict[Any, tuple[bytes, Any]]
"""A table's: what tells one from how it was before, and its copy."""


class Encoded:
    """The states of all services. For one thread at a time."""

    def __init__(self) -> None:
        self._copies: dict[str, list[_Records]] = {}
        """Of each service's tables, in the order they are copied, the records as they were last."""
        self._texts: dict[str, dict[tuple[str, ...], _Text]] = {}
        self._copying: int | None = None
        """The thread that copies a state, for which a record that is the same is the same copy."""
        self._last: Iterator[_Records] = iter(())
        self._now: list[_Records] = []
        self._ours: set[int] = set()
        """The ids of its copies: other records may be the service's own, which change."""

    def install(self) -> None:
        """Copy the emulator's tables, and keep the code of functions, the quick way."""
        responses = ministack.module("ministack.core.responses")
        for name in _TABLES:
            getattr(responses, name).__deepcopy__ = lambda table, memo: self._copy(table, memo)
        _name_code_once()

    def state(self, service: str, get: Callable[[], Any]) -> list[str] | None:
        """A service's state, in parts of which those that are the same are the same; None where it has none.

        Raises:
            TypeError, ValueError: it is no JSON.
        """
        self._last, self._now = iter(self._copies.get(service, ())), []
        self._ours.clear()
        self._copying = None if service in _BYTES else threading.get_ident()
        try:
            state = get()
        finally:
            self._copying = None
        self._copies[service] = self._now
        return None if state is None else self._encode(service, state)

    def _copy(self, table: Any, memo: dict[int, Any]) -> Any:
        copied = type(table)()
        if threading.get_ident() != self._copying:
            memo[id(table)] = copied
            copied._data = copy.deepcopy(table._data, memo)
            return copied
        last = next(self._last, {})
        now: _Records = {}
        self._now.append(now)
        for key, record in list(table._data.items()):
            try:
                told = marshal.dumps(record, 2)  # in one go, under which nothing changes
            except ValueError:  # there is more in it than plain values
                copied._data[key] = copy.deepcopy(record)
                continue
            was = last.get(key)
            if was is None or was[0] != told:
                was = (told, marshal.loads(told))  # noqa: S302 - made above
            now[key] = was
            copied._data[key] = was[1]
            self._ours.add(id(was[1]))
        return copied

    def _encode(self, service: str, state: Any) -> list[str]:
        persistence = ministack.module("ministack.core.persistence")
        last, now = self._texts.get(service, {}), {}
        parts = [f'{{"__ministack_format__": {persistence._state_format_version(service)}, "payload": ']

        def add(value: Any, *key: str) -> None:
            was = last.get(key)
            same = was is not None and was.record is value and id(value) in self._ours
            now[key] = was if was and same else _Text.of(value, was)
            parts.append(now[key].text)

        def add_all(values: dict[str, Any], *key: str) -> None:
            for number, (name, value) in enumerate(values.items()):
                parts.append(f"{', ' if number else '{'}{json.dumps(name)}: ")
                if not key and type(value).__name__ in _TABLES:
                    whole = persistence._json_default(value)
                    records = whole.pop("data")
                    parts.append(f'{json.dumps(whole)[:-1]}, "data": ')
                    add_all(records, name)
                    parts.append("}")
                else:
                    add(value, *key, name)
            parts.append("}" if values else "{}")

        if isinstance(state, dict) and all(isinstance(name, str) for name in state):
            add_all(state)
        else:
            add(state)
        self._texts[service] = now
        return [*parts, "}"]


class _Text:
    """A record's JSON."""

    def __init__(self, record: Any, told: str, text: str) -> None:
        self.record = record
        self._told = told
        self.text = text

    @classmethod
    def of(cls, record: Any, last: _Text | None) -> _Text:
        """Made, unless the record says the same as the last."""
        default = ministack.module("ministack.core.persistence")._json_default
        heavy = False

        def lightly(value: Any) -> Any:
            nonlocal heavy
            if not isinstance(value, bytes):
                return default(value)
            heavy = True
            return [hash(value), len(value)]  # bytes keep their hash, once they were asked for it

        told = json.dumps(record, default=lightly)
        if last and last._told == told:
            return cls(record, told, last.text)
        return cls(record, told, json.dumps(record, default=default) if heavy else told)


def _name_code_once() -> None:
    """The code of a function is kept under its digest: it is reckoned once, and not with every state."""
    functions = ministack.service("lambda_svc")
    known: dict[bytes, str] = {}

    def named(write: Callable[[bytes], str]) -> Callable[[bytes], str]:
        def written(code: bytes) -> str:
            name = known.get(code)
            if not name or not Path(functions.CODE_BLOB_DIR, f"{name}.zip").exists():
                name = known[code] = write(code)
            return name

        return written

    def forgotten(prune: Callable[[set[str]], None]) -> Callable[[set[str]], None]:
        def pruned(referenced: set[str]) -> None:
            for code, name in list(known.items()):
                if name not in referenced:
                    del known[code]
            prune(referenced)

        return pruned

    ministack.wrap(functions, "_write_code_blob", named)
    ministack.wrap(functions, "_prune_orphan_code_blobs", forgotten)
