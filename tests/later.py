"""What a later gymops does to a database: its migrations are ours, and some behind them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gymops import resources
from gymops.clock import SystemClock
from gymops.pg import schema

_REVISION = '''"""What a later release needs."""

from __future__ import annotations

from alembic import op

revision = "{id}"
down_revision = "{before}"
branch_labels = None
depends_on = None
phase = "{phase}"


def upgrade() -> None:
    op.execute("""{up}""")


def downgrade() -> None:
    op.execute("""{down}""")
'''


class Later:
    """A later gymops, as far as its migrations go."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        shutil.copytree(
            resources.path("migrations"),
            folder / "migrations",
            ignore=shutil.ignore_patterns("__pycache__"),
            dirs_exist_ok=True,
        )
        self.migrations = folder / "migrations"
        self.ids = [revision.id for revision in schema.history()]

    def add(self, phase: str, up: str, down: str = "SELECT 1") -> str:
        """Write one more revision; its id."""
        before = self.ids[-1]
        revision = f"{int(before) + 1:04}"
        text = _REVISION.format(id=revision, before=before, phase=phase, up=up, down=down)
        (self._root / "migrations" / "versions" / f"{revision}_later.py").write_text(text, encoding="utf-8")
        self.ids.append(revision)
        return revision

    def expand(self) -> str:
        """Something that code which does not know it never meets."""
        name = f"later_{len(self.ids)}"
        return self.add(
            "expand",
            f"ALTER TABLE events ADD COLUMN {name} text; CREATE TABLE {name} (user_id text PRIMARY KEY)",
            f"DROP TABLE {name}; ALTER TABLE events DROP COLUMN {name}",
        )

    def contract(self) -> str:
        """The end of something that code which does not know it may use."""
        return self.add("contract", "ALTER TABLE exercises DROP COLUMN description")

    def known(self) -> None:
        """Let the code beside the migrations know them."""
        file = self._root / "gymops" / "pg" / "accepted.py"
        text = file.read_text(encoding="utf-8")
        file.write_text(
            re.sub('MAX_SCHEMA = "...."', f'MAX_SCHEMA = "{self.ids[-1]}"', text), encoding="utf-8"
        )

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Within, gymops is the later one."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(resources, "path", lambda name: self._root / name)
            yield

    def upgrade(self, url: str) -> list[str]:
        with self.at_work():
            return schema.upgrade(url, clock=SystemClock())
