"""The event log: append-only, one numbered stream per user.

Everything else is derived from this table, so it is protected twice: the app's role is granted no
change at all, and a trigger refuses changes to the owner too. A trigger and not a rule, since a rule
answers `DELETE ... RETURNING` with silence instead of an error.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
phase = "expand"

# Roles belong to the whole server: another database's migration may be creating it at this moment.
# One that exists is left as its administrator made it.
ROLE = """
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'gymops_app') THEN
    CREATE ROLE gymops_app NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN
    NULL;
  WHEN insufficient_privilege THEN
    RAISE EXCEPTION USING
      ERRCODE = 'insufficient_privilege',
      MESSAGE = 'the role gymops_app is missing and this user may not create it',
      HINT = 'CREATE ROLE gymops_app NOLOGIN';
END
$$
"""

EVENTS = """
CREATE TABLE events (
  user_id text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  event_id uuid NOT NULL,
  source_event_id text,
  "timestamp" timestamptz NOT NULL,
  event_type text COLLATE "C" NOT NULL,
  payload jsonb NOT NULL,
  -- The version of a payload's shape; it grows by one per change of the code.
  -- squawk-ignore prefer-bigint-over-int
  schema_version integer NOT NULL DEFAULT 1,
  extra jsonb,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  CONSTRAINT events_position_check CHECK (position > 0),
  CONSTRAINT events_pkey PRIMARY KEY (user_id, position),
  CONSTRAINT events_event_id_key UNIQUE (user_id, event_id)
)
"""

INDEXES = (
    "CREATE INDEX events_event_type_idx ON events (event_type)",
    'CREATE INDEX events_timestamp_idx ON events ("timestamp")',
    "CREATE INDEX events_workout_id_idx ON events ((payload->>'workout_id'))",
)

COMMENTS = {
    "TABLE events": (
        "The event log: what happened, per user, in order. Append-only; all else is derived from it."
    ),
    "COLUMN events.position": "1, 2, 3, ... within the user: the order of the stream.",
    "COLUMN events.source_event_id": (
        "The original id where it was no UUID; event_id is then the UUIDv5 of user and text."
    ),
    "COLUMN events.extra": "Columns of the source that gymops does not know, by name.",
    "COLUMN events.xid": (
        "The transaction that appended the row. Followers read ordered by (xid, user_id, position), and only "
        "xid < pg_snapshot_xmin(pg_current_snapshot()), so that no slow transaction is passed over."
    ),
}

REFUSE = """
CREATE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING
    ERRCODE = 'restrict_violation',
    MESSAGE = 'events is append-only: ' || TG_OP || ' is refused',
    HINT = 'Correct an event by appending another one.';
END
$$
"""

TRIGGER = """
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION events_append_only()
"""

# Without this, session_replication_role = replica would switch the trigger off in silence.
ALWAYS = "ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only"

# On a hardened database PUBLIC may not use the schema.
SCHEMA_USAGE = """
DO $$
BEGIN
  EXECUTE 'GRANT USAGE ON SCHEMA ' || quote_ident(current_schema()) || ' TO gymops_app';
END
$$
"""

GRANTS = (
    "REVOKE ALL ON alembic_version FROM PUBLIC",
    "REVOKE ALL ON events FROM PUBLIC",
    "GRANT SELECT, INSERT ON events TO gymops_app",
    "GRANT SELECT ON alembic_version TO gymops_app",
)


def upgrade() -> None:
    op.execute(ROLE)
    op.execute(EVENTS)
    for statement in INDEXES:
        op.execute(statement)
    for target, words in COMMENTS.items():
        op.execute(f"COMMENT ON {target} IS '{words}'")
    for statement in (REFUSE, TRIGGER, ALWAYS, SCHEMA_USAGE, *GRANTS):
        op.execute(statement)


def downgrade() -> None:
    """For development. The role stays: other databases of the server may use it."""
    op.execute("REVOKE ALL ON alembic_version FROM gymops_app")
    op.execute("DROP TABLE events")
    op.execute("DROP FUNCTION events_append_only()")
