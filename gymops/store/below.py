"""A store inside of another: its keys begin where a prefix ends."""

from __future__ import annotations

from collections.abc import Sequence

from gymops.store.objects import Objects, Stored


class Below:
    """The objects of another store whose keys begin with a prefix."""

    def __init__(self, objects: Objects, prefix: str) -> None:
        self._objects, self._prefix = objects, prefix

    def get(self, key: str) -> Stored | None:
        return self._objects.get(self._prefix + key)

    def create(self, key: str, data: bytes) -> str:
        return self._objects.create(self._prefix + key, data)

    def replace(self, key: str, data: bytes, etag: str) -> str:
        return self._objects.replace(self._prefix + key, data, etag)

    def keys(self, prefix: str) -> Sequence[str]:
        return [key.removeprefix(self._prefix) for key in self._objects.keys(self._prefix + prefix)]

    def delete(self, key: str, etag: str | None = None) -> None:
        self._objects.delete(self._prefix + key, etag)
