"""The migration's own records: runs, copy checkpoints and the rows that could not be moved.

A batch of events, the checkpoint that says how far it went and the rows it rejected are committed
together, so a killed run resumes exactly behind its last commit. A rejected row is kept byte for
byte, for nothing of the source may be lost.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
phase = "expand"

RUNS = """
CREATE TABLE runs (
  run_id uuid NOT NULL,
  kind text NOT NULL,
  source text NOT NULL,
  status text NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  host text,
  -- A process id; the kernel keeps it far below 32 bits.
  -- squawk-ignore prefer-bigint-over-int
  pid integer,
  dropped_indexes jsonb,
  report jsonb,
  CONSTRAINT runs_pkey PRIMARY KEY (run_id),
  CONSTRAINT runs_status_check CHECK (status IN ('running', 'done', 'failed')),
  CONSTRAINT runs_finished_check CHECK ((finished_at IS NULL) = (status = 'running'))
)
"""

CHECKPOINTS = """
CREATE TABLE checkpoints (
  user_id text COLLATE "C" NOT NULL,
  run_id uuid NOT NULL,
  source_rowid bigint NOT NULL,
  events bigint NOT NULL,
  rejected bigint NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT checkpoints_pkey PRIMARY KEY (user_id),
  CONSTRAINT checkpoints_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs (run_id),
  CONSTRAINT checkpoints_counts_check CHECK (events >= 0 AND rejected >= 0)
)
"""

REJECTED = """
CREATE TABLE rejected_events (
  user_id text COLLATE "C" NOT NULL,
  source_table text NOT NULL,
  source_rowid bigint NOT NULL,
  reason text NOT NULL,
  columns text[] NOT NULL,
  types text[] NOT NULL,
  cells bytea[] NOT NULL,
  rejected_at timestamptz NOT NULL,
  CONSTRAINT rejected_events_pkey PRIMARY KEY (user_id, source_table, source_rowid),
  CONSTRAINT rejected_events_cells_check
    CHECK (cardinality(columns) = cardinality(types) AND cardinality(columns) = cardinality(cells))
)
"""

COMMENTS = {
    "TABLE runs": "One row per run of a migration; finished_at is set exactly when it is no longer running.",
    "COLUMN runs.dropped_indexes": "The indexes dropped for the load and not built again yet.",
    "TABLE checkpoints": "How far the copy of a user has come; committed together with the events.",
    "TABLE rejected_events": "Rows of the source that cannot be events: each cell verbatim, with its type.",
}

GRANTS = ("REVOKE ALL ON runs, checkpoints, rejected_events FROM PUBLIC",)


def upgrade() -> None:
    for statement in (RUNS, CHECKPOINTS, REJECTED):
        op.execute(statement)
    for target, words in COMMENTS.items():
        op.execute(f"COMMENT ON {target} IS '{words}'")
    for statement in GRANTS:
        op.execute(statement)


def downgrade() -> None:
    """For development."""
    op.execute("DROP TABLE rejected_events, checkpoints, runs")
