"""What the tests of releases stand on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from gymops.deploy.release.plan import Request
from gymops.errors import LockLost
from gymops.store.objects import Stored
from tests.contract.objects import MemoryObjects
from tests.unit.clocks import FakeClock

DEPLOY = Request("deploy", "gymops deploy prod", "ann@laptop", {"Size": "512"}, "sha256:1")


class Guard:
    """A lock that a test takes away."""

    def __init__(self, fence: int = 1) -> None:
        self.fence = fence
        self.lost: LockLost | None = None
        self.told: list[str] = []
        self.left: str | None = None

    def check(self) -> None:
        if self.lost:
            raise self.lost

    def working_on(self, operation: str) -> None:
        self.told.append(operation)


class Recording(MemoryObjects):
    """Remembers what was written, and fails or is disturbed where a test says so."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.written: list[tuple[str, bytes]] = []
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None

    def create(self, key: str, data: bytes) -> str:
        self.before(key)
        etag = super().create(key, data)
        self.written.append((key, data))
        self.after(key)
        return etag

    def replace(self, key: str, data: bytes, etag: str) -> str:
        self.before(key)
        etag = super().replace(key, data, etag)
        self.written.append((key, data))
        self.after(key)
        return etag

    def bytes_of(self, key: str) -> bytes:
        stored: Stored | None = self.get(key)
        assert stored
        return stored[0]

    def overwrite(self, key: str, data: bytes) -> None:
        """As nobody may."""
        self.delete(key)
        super().create(key, data)


def nonces(names: Sequence[str] = ()) -> Callable[[], str]:
    """``n1``, ``n2``, ..."""
    counted = itertools.count(1)
    return lambda: f"n{next(counted)}"
