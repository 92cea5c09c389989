"""The parts of a migration, as a person follows them."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Told what goes on, for a person to see."""

    def phase(self, name: str, total: int | None) -> None:
        """A part of the work begins; ``total`` is how much it is."""
        ...

    def advance(self, done: int) -> None:
        """So much more of the part is done."""
        ...
