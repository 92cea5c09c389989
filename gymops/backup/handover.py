"""What one thread writes and another reads, handed over without a copy."""

from __future__ import annotations

from queue import Queue

BLOCK = 1 << 17
"""Larger ones take fresh pages from the system each time, smaller ones more calls."""

_BLOCKS = 16
"""So many wait at most; who writes then waits for who reads."""


class Handover:
    """A file that is only gone through: written by one thread, read by one other. A pipe would copy each byte
    into the system and out of it again.
    """

    def __init__(self) -> None:
        self._blocks: Queue[bytes] = Queue(_BLOCKS)
        self._rest = memoryview(b"")
        self._at = 0
        self._over = False

    def write(self, data: bytes) -> int:
        """Hand some over; waits while enough of it lies there."""
        if data:
            self._blocks.put(bytes(data))
        return len(data)

    def close(self) -> None:
        """Nothing more will be written."""
        self._blocks.put(b"")

    def read(self, size: int) -> bytes:
        """So many bytes; fewer only at the end."""
        found: list[memoryview] = []
        missing = size
        while missing and self._more():
            part = self._rest[:missing]
            self._rest = self._rest[len(part) :]
            missing -= len(part)
            found.append(part)
        self._at += size - missing
        return b"".join(found)

    def tell(self) -> int:
        """How many bytes were read."""
        return self._at

    def seek(self, to: int) -> int:
        """Read on to there, or to the end."""
        while self._at < to and self.read(min(BLOCK, to - self._at)):
            pass
        return self._at

    def drain(self) -> None:
        """Read all that is left, so that who writes waits no more."""
        self._rest = memoryview(b"")
        while self._more():
            self._rest = memoryview(b"")

    def _more(self) -> bool:
        if not self._rest and not self._over:
            self._rest = memoryview(self._blocks.get())
            self._over = not self._rest
        return bool(self._rest)
