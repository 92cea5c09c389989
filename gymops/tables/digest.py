"""The digest of a table: equal exactly when two places hold the same rows, in whatever order.

**Format, version 1.** A row is what PostgreSQL sends in binary COPY for its columns in their order in the
table: their number (16-bit), then per column its length (32-bit, -1 for NULL) and bytes; ``numeric``,
``jsonb`` and ``citext`` columns as their text, a number without trailing zeros. The table's digest is the
sum of the SHA-256 of all its rows, modulo 2^256, as 64 hexadecimal digits, beside their number: equal rows
count as often as they are there. It tells mistakes, not forgers: who may choose rows freely can make two
sums meet. The digest of a database is the SHA-256 over its tables, sorted by the UTF-8 of their names,
each as ``name NUL rows NUL digest LF``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

_MASK = (1 << 256) - 1


@dataclass(frozen=True)
class Content:
    """What a table holds: its number of rows and their digest."""

    rows: int = 0
    digest: str = "0" * 64


class Hasher:
    """Adds up the rows of one table."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, records: Iterable[bytes]) -> None:
        """Count some rows in."""
        total = rows = 0
        for record in records:
            total += int.from_bytes(sha256(record).digest(), "big")
            rows += 1
        self.rows += rows
        self._sum = (self._sum + total) & _MASK

    def content(self) -> Content:
        """The table as it is so far."""
        return Content(self.rows, f"{self._sum:064x}")


def database(tables: Mapping[str, Content]) -> str:
    """The digest of a whole database."""
    top = sha256()
    for name in sorted(tables, key=str.encode):
        top.update(f"{name}\0{tables[name].rows}\0{tables[name].digest}\n".encode())
    return top.hexdigest()
