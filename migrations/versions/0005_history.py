"""The revisions applied, written down for a gymops that does not know them.

Code of an earlier release goes on working on a schema that was only added to; without this record it
could not tell such a revision from one that took away what it needs. env.py writes it.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE alembic_version ADD COLUMN history jsonb")
    op.execute(
        "COMMENT ON COLUMN alembic_version.history IS"
        " 'The revisions applied, oldest first, each with its id and its phase: expand or contract.'"
    )


def downgrade() -> None:
    """For development."""
    op.execute("ALTER TABLE alembic_version DROP COLUMN history")
