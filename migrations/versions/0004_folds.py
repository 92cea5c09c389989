"""Who folded a user's projections, the sets that records are found among, and room to fold anew.

The projections answer what the app shows; the record that is left when the best set is deleted must be
found among all others, and that needs an index: sets. folds says which version of the fold made a user's
projections. The shadow tables take a rebuild: filled beside the live rows, compared with them and swapped
in one transaction.

How far the projections go is told by the position of the row current_workout, which every event writes:
a row of its own would be one more write for each append.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
phase = "expand"

POSITION = "ALTER TABLE projections ADD COLUMN position bigint"

# Keys are read by how they begin, which an index finds in the order of their bytes.
KEY = """
-- It is the index that is built anew, not the table, and read models are small beside the log.
-- squawk-ignore changing-column-type
ALTER TABLE projections ALTER COLUMN key TYPE text COLLATE "C"
"""

FOLDS = """
CREATE TABLE folds (
  user_id text COLLATE "C" NOT NULL,
  -- Grows by one per change of the code.
  -- squawk-ignore prefer-bigint-over-int
  version integer NOT NULL,
  CONSTRAINT folds_pkey PRIMARY KEY (user_id)
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
    "COLUMN projections.position": "The event that last wrote the row.",
    "TABLE folds": "Which version of the fold made the projections of a user.",
    "TABLE sets": "The sets of finished workouts: the next best when a record is deleted is found here.",
    "TABLE shadow_projections": "A rebuild on its way to replace the projections.",
    "TABLE shadow_aggregates": "A rebuild on its way to replace the aggregates.",
    "TABLE shadow_sets": "A rebuild on its way to replace the sets.",
    "TABLE shadow_folds": "Which version of the fold fills the shadow of a user.",
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
    for statement in (KEY, POSITION, FOLDS, SETS, *SETS_INDEXES):
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
    op.execute("ALTER TABLE projections DROP COLUMN position")
    op.execute('ALTER TABLE projections ALTER COLUMN key TYPE text COLLATE "default"')
