"""What the database's own catalogue says of our schema: its rules, protections and missing parts."""

from __future__ import annotations

from gymops.pg.connection import Connection
from gymops.report import Check

TABLES = ("events", "projections", "exercises", "aggregates", "runs", "checkpoints", "rejected_events")
RELATIONS = (*TABLES, "workout_summaries")
APP_ROLE = "gymops_app"

EVENT_COLUMNS = {
    "user_id": "text",
    "position": "bigint",
    "event_id": "uuid",
    "source_event_id": "text",
    "timestamp": "timestamp with time zone",
    "event_type": "text",
    "payload": "jsonb",
    "schema_version": "integer",
    "extra": "jsonb",
    "xid": "xid8",
}
EVENT_INDEXES = (
    "events_pkey",
    "events_event_id_key",
    "events_event_type_idx",
    "events_timestamp_idx",
    "events_workout_id_idx",
)


def existing(connection: Connection) -> list[str]:
    """Which of our relations, the version table among them, the schema we would create them in has."""
    rows = connection.execute(
        """
        SELECT relname FROM pg_catalog.pg_class
        WHERE relnamespace = to_regnamespace(quote_ident(current_schema())) AND relname = ANY (%s)
        ORDER BY relname
        """,
        [[*RELATIONS, "alembic_version"]],
    )
    return [row[0] for row in rows]


def lint(connection: Connection) -> list[str]:
    """Unique keys of per-user tables that leave the user out: two users' rows would collide.

    A per-user table is one with a column ``user_id``; INCLUDE columns are not part of a key.
    """
    rows = connection.execute(
        """
        SELECT c.relname, x.relname, pg_get_indexdef(i.indexrelid)
        FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
        JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'user_id' AND NOT a.attisdropped
        WHERE i.indisunique AND c.relnamespace = to_regnamespace(quote_ident(current_schema()))
          AND a.attnum <> ALL ((i.indkey::int2[])[0:i.indnkeyatts - 1])
        ORDER BY 1, 2
        """
    )
    return [f"{table}: the unique index {index} leaves out user_id" for table, index, _ in rows]


def inspect(connection: Connection) -> list[Check]:
    """Every check that needs the whole schema to be there."""
    findings = lint(connection)
    return [
        _tables(connection),
        _columns(connection),
        _indexes(connection),
        Check(
            "keys", not findings, "; ".join(findings) or "every unique key of a per-user table has user_id"
        ),
        _append_only(connection),
        _app_role(connection),
    ]


def _tables(connection: Connection) -> Check:
    missing = [name for name in RELATIONS if name not in existing(connection)]
    detail = f"missing: {', '.join(missing)}; restore them from a backup" if missing else "all there"
    return Check("tables", not missing, detail)


def _columns(connection: Connection) -> Check:
    rows = connection.execute(
        """
        SELECT attname, format_type(atttypid, NULL) FROM pg_catalog.pg_attribute
        WHERE attrelid = to_regclass('events') AND attnum > 0 AND NOT attisdropped
        """
    )
    found = {str(name): str(kind) for name, kind in rows}
    wrong = [
        f"{name} is {found.get(name, 'missing')}, not {kind}"
        for name, kind in EVENT_COLUMNS.items()
        if found.get(name) != kind
    ]
    return Check(
        "columns", not wrong, f"events: {'; '.join(wrong)}" if wrong else "events has all of its own"
    )


def _indexes(connection: Connection) -> Check:
    rows = connection.execute(
        """
        SELECT x.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
        WHERE i.indrelid = to_regclass('events') AND i.indisvalid AND i.indisready
        """
    )
    valid = {row[0] for row in rows}
    missing = [name for name in EVENT_INDEXES if name not in valid]
    if not missing:
        return Check("indexes", True, "events has all of its own")
    row = connection.execute(
        "SELECT run_id::text, status FROM runs WHERE dropped_indexes IS NOT NULL"
        " ORDER BY started_at DESC LIMIT 1"
    ).fetchone()
    why = (
        f"run {row[0]} ({row[1]}) dropped indexes and did not build them again; run its gymops migrate again"
        if row
        else "no run dropped them; create them again as in the schema's first revision"
    )
    return Check("indexes", False, f"events lacks {', '.join(missing)} (or they are invalid): {why}")


def _append_only(connection: Connection) -> Check:
    row = connection.execute(
        """
        SELECT tgenabled::text, tgtype FROM pg_catalog.pg_trigger
        WHERE tgrelid = to_regclass('events') AND tgname = 'events_append_only'
        """
    ).fetchone()
    if row is None:
        return Check("append_only", False, "the trigger events_append_only is missing: events can be changed")
    # Bits of tgtype: 1 row, 2 before, 8 delete, 16 update, 32 truncate. 'R' fires for replication only.
    whole = row[1] == 2 + 8 + 16 + 32
    if row[0] not in ("O", "A") or not whole:
        mend = "ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only"
        return Check("append_only", False, f"the trigger events_append_only does not protect events: {mend}")
    return Check("append_only", True, "changes to events are refused, to the owner too")


def _app_role(connection: Connection) -> Check:
    found = connection.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", [APP_ROLE]).fetchone()
    if found is None:
        return Check("app_role", False, f"the role {APP_ROLE} is missing: CREATE ROLE {APP_ROLE} NOLOGIN")
    rows = connection.execute(
        """
        SELECT p FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) p
        WHERE has_table_privilege(%(role)s, 'events', p)
           OR (p = 'UPDATE' AND has_any_column_privilege(%(role)s, 'events', p))
        """,
        {"role": APP_ROLE},
    )
    rights = [row[0] for row in rows]
    if rights:
        mend = f"REVOKE {', '.join(rights)} ON events FROM {APP_ROLE}, PUBLIC"
        return Check("app_role", False, f"{APP_ROLE} may {', '.join(rights)} on events: {mend}")
    return Check("app_role", True, f"{APP_ROLE} can only read events and append to them")
