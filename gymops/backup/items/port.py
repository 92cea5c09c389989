"""What backups of tables and buckets need of what holds items, and of who keeps backups of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gymops.aws.backup_jobs import Job
from gymops.backup.evidence import Gap
from gymops.backup.items.content import Content, Look
from gymops.backup.items.record import Part
from gymops.backup.port import Point, Tell

Counted = Callable[[int], None]
"""Is told from time to time how many items were read."""
EACH = 1000
"""Items of a list after which it is told."""
TAGS = {"environment": "gymops:environment", "test": "gymops:restore-test"}


def uncounted(_number: int) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True)
class Source:
    """A table or a bucket of an environment."""

    kind: str
    """``table`` or ``bucket``."""
    name: str


@dataclass(frozen=True)
class Kept:
    """A backup that can be restored."""

    bytes: int | None
    encrypted: bool
    locked: bool
    """Whether something keeps it from being deleted."""


@dataclass(frozen=True)
class Planned:
    """What AWS Backup took by its own plan, all at one time; nothing was recorded around it."""

    point: Point
    names: frozenset[str]
    """Of what."""


class Holder(Protocol):
    """What holds items: tables, or buckets."""

    def arn(self, name: str) -> str | None:
        """The ARN of one; None if there is none."""

    def key(self, name: str) -> str | None:
        """The key of KMS by which one is encrypted that is restored with it; None: AWS's own."""

    def look(self, name: str, counted: Counted = uncounted) -> Look:
        """What is in it; no snapshot."""

    def settled(
        self, part: Part, name: str, content: Content, found: Look, counted: Counted = uncounted
    ) -> tuple[Look, Sequence[str]]:
        """What was found in a restored one, told as its source tells it; and of what nobody can tell."""

    def called(self, to: str, name: str) -> str:
        """What one is restored as.

        Raises:
            ConfigError: that would be no name.
        """

    def gaps(self, name: str) -> Sequence[Gap]:
        """What of it is not kept."""

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Say what it is for."""

    def delete(self, name: str) -> bool:
        """Begin to delete it; whether it is still there."""

    def spoil(self, name: str, *, missing: bool) -> str | None:
        """A drill: delete or change its first item; what was done, None if it has none."""


class Keeper(Protocol):
    """Who takes backups of single tables and buckets, and keeps them."""

    def keeps(self, backup: str) -> bool:
        """Whether a backup of this ARN is theirs."""

    def back_up(self, name: str, arn: str, label: str, tier: str, days: int, tell: Tell) -> str:
        """Back up, for so many days at least, and wait for it; the ARN of the backup."""

    def there(self, parts: Sequence[tuple[str, str]]) -> Mapping[str, Kept]:
        """What can be restored of these, each by name and ARN: by the ARN of the backup."""

    def planned(self, sources: Sequence[tuple[str, str]], known: Collection[str]) -> Sequence[Planned]:
        """What is kept of these, each by name and ARN, that is not among the known ARNs; the oldest first."""

    def restore(self, part: Part, name: str, plan: str) -> Callable[[], Job]:
        """Begin to make a new one of a backup, for a plan by its id; what tells how far it is."""

    def forget(self, backup: str) -> None:
        """Delete a backup; one that is gone is deleted already."""

    def strays(self, names: Sequence[str], label: str, before: datetime) -> Sequence[str]:
        """Backups of ours from before a time, by the beginning of their labels; where there are labels."""
