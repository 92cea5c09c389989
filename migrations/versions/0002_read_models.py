"""The read models: what the app reads instead of folding the log on every request.

projections, exercises and aggregates are written by the app in the transaction that appends the
event. workout_summaries is a plain view: it is always true, nothing refreshes it, and an append
pays nothing for it. The app's own materialized view went stale and counted an event type that
does not exist.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
phase = "expand"

PROJECTIONS = """
CREATE TABLE projections (
  user_id text COLLATE "C" NOT NULL,
  key text NOT NULL,
  data jsonb NOT NULL,
  updated_at timestamptz NOT NULL,
  extra jsonb,
  CONSTRAINT projections_pkey PRIMARY KEY (user_id, key)
)
"""

EXERCISES = """
CREATE TABLE exercises (
  user_id text COLLATE "C" NOT NULL,
  exercise_id text NOT NULL,
  name text NOT NULL,
  category text,
  description text,
  is_custom boolean NOT NULL DEFAULT false,
  created_at timestamptz,
  extra jsonb,
  CONSTRAINT exercises_pkey PRIMARY KEY (user_id, exercise_id)
)
"""

AGGREGATES = """
CREATE TABLE aggregates (
  user_id text COLLATE "C" NOT NULL,
  period_type text NOT NULL,
  period_key text NOT NULL,
  data jsonb NOT NULL,
  updated_at timestamptz NOT NULL,
  extra jsonb,
  CONSTRAINT aggregates_pkey PRIMARY KEY (user_id, period_type, period_key)
)
"""

SUMMARIES = """
CREATE VIEW workout_summaries AS
SELECT
  user_id,
  payload->>'workout_id' AS workout_id,
  min("timestamp") AS started_at,
  max("timestamp") AS last_updated,
  count(*) FILTER (WHERE event_type = 'SetLogged') AS total_sets
FROM events
WHERE payload->>'workout_id' IS NOT NULL
GROUP BY user_id, payload->>'workout_id'
"""

COMMENTS = {
    "TABLE projections": "What folding the events of a user gave, by name; rebuilt from the log at any time.",
    "TABLE exercises": "The exercises a user can log.",
    "TABLE aggregates": "Sums per user and period; rebuilt from the log at any time.",
    "VIEW workout_summaries": (
        "One row per workout, computed from the log when it is read: never stale, never refreshed."
    ),
}

GRANTS = (
    "REVOKE ALL ON projections, exercises, aggregates, workout_summaries FROM PUBLIC",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON projections, exercises, aggregates TO gymops_app",
    "GRANT SELECT ON workout_summaries TO gymops_app",
)


def upgrade() -> None:
    for statement in (PROJECTIONS, EXERCISES, AGGREGATES, SUMMARIES):
        op.execute(statement)
    for target, words in COMMENTS.items():
        op.execute(f"COMMENT ON {target} IS '{words}'")
    for statement in GRANTS:
        op.execute(statement)


def downgrade() -> None:
    """For development."""
    op.execute("DROP VIEW workout_summaries")
    op.execute("DROP TABLE projections, exercises, aggregates")
