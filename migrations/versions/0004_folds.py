"""How far a user's log is folded, the sets that records are found among, and room to fold anew.

The projections answer what the app shows; the record that is left when the best set is deleted must be
found among all others, and that needs an index: sets. folds says which events the projections hold, by
which version of the fold. The shadow tables take a rebuild: filled beside the live rows, compared with
them and swapped in one transaction.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
phase = "expand"

FOLDS = """
CREATE TABLE folds (
  user_id text COLLATE "C" NOT NULL,
  -- Grows by one per change of the code.
  -- squawk-ignore prefer-bigint-over-int
  version integer NOT NULL,
  position bigint NOT NULL,
  CONSTRAINT folds_pkey PRIMARY KEY (user_id),
  CONSTRAINT folds_position_check CHECK (position >= 0)
)
"""

SETS = """
CREATE TABLE sets (
  user_id text COLLATE "C" NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  workout_id text COLLATE "C" NOT NULL,
  exercise_id text COLLATE "C" NOT NULL,
  "at" text COLLATE "C" NOT NULL,
  weight double precision NOT NULL,
  weight_kg double precision NOT NULL,
  unit text NOT NULL,
  reps bigint,
  seconds bigint,
  CONSTRAINT sets_pkey PRIMARY KEY (user_id, event_id)
)
"""

# The best set comes first.
SETS_INDEXES = (
    """
    CREATE INDEX sets_heaviest_idx ON sets (user_id, exercise_id, reps, weight_kg DESC, position)
    WHERE reps IS NOT NULL
    """,
    """
    CREATE INDEX sets_longest_idx ON sets (user_id, exercise_id, seconds DESC, weight_kg DESC, position)
    WHERE reps IS NULL
    """,
)

TABLES = ("projections", "aggregates", "sets", "folds")

COMMENTS = {
    "TABLE folds": "Which events of a user the projections hold, and which version of the fold made them.",
    "TABLE sets": "The sets of finished workouts: the next best when a record is deleted is found here.",
    "TABLE shadow_projections": "A rebuild on its way to replace the projections.",
    "TABLE shadow_aggregates": "A rebuild on its way to replace the aggregates.",
    "TABLE shadow_sets": "A rebuild on its way to replace the sets.",
    "TABLE shadow_folds": "How far each rebuild has come.",
}

GRANTS = tuple(
    statement
    for table in ("folds", "sets", *(f"shadow_{name}" for name in TABLES))
    for statement in (
        f"REVOKE ALL ON {table} FROM PUBLIC",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gymops_app",
    )
)


def upgrade() -> None:
    for statement in (FOLDS, SETS, *SETS_INDEXES):
        op.execute(statement)
    for table in TABLES:
        op.execute(f"CREATE TABLE shadow_{table} (LIKE {table} INCLUDING ALL)")
    for target, words in COMMENTS.items():
        op.execute(f"COMMENT ON {target} IS '{words}'")
    for statement in GRANTS:
        op.execute(statement)


def downgrade() -> None:
    """For development."""
    shadows = ", ".join(f"shadow_{table}" for table in TABLES)
    op.execute(f"DROP TABLE {shadows}, sets, folds")
