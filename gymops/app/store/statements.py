"""The SQL of the PostgreSQL store, each statement named; a rebuild runs the same on the shadow's tables."""

from __future__ import annotations

from gymops.app.fold import AGGREGATES, PROJECTIONS

LOCK = b"SELECT pg_advisory_xact_lock(%s)"

_EVENT = b"""
SELECT position, event_id::text, "timestamp", event_type, payload, schema_version FROM events
"""

FIND = _EVENT + b"WHERE user_id = %s AND event_id = %s::uuid"

FIND_ALL = _EVENT + b"WHERE user_id = %s AND event_id = ANY(%s::uuid[]) ORDER BY position"

AFTER = _EVENT + b"WHERE user_id = %s AND position > %s ORDER BY position LIMIT %s"

INSERT = b"""
INSERT INTO events (user_id, position, event_id, "timestamp", event_type, payload, schema_version)
VALUES (%s, %s, %s::uuid, %s::timestamptz, %s, %s::jsonb, %s)"""

ROWS = b"SELECT key, data, updated_at FROM projections WHERE user_id = %s AND key = ANY(%s)"

LISTED = b"""
SELECT key, data, updated_at FROM projections
WHERE user_id = %s AND key > %s AND key < %s ORDER BY key LIMIT %s
"""

LATEST = b"""
SELECT key, data, updated_at FROM projections
WHERE user_id = %s AND key > %s AND key < %s ORDER BY key DESC LIMIT %s
"""

PERIODS_OF = b"""
SELECT period_key, data, updated_at FROM aggregates
WHERE user_id = %s AND period_type = %s ORDER BY period_key DESC LIMIT %s
"""

EXERCISES = b"""
SELECT exercise_id, name, category, description, is_custom FROM exercises
WHERE user_id = %s ORDER BY exercise_id
"""

# One user after the other, each found through the primary key.
USERS = b"""
WITH RECURSIVE found AS (
  (SELECT user_id FROM events ORDER BY user_id LIMIT 1)
  UNION ALL
  SELECT (SELECT e.user_id FROM events e WHERE e.user_id > found.user_id ORDER BY e.user_id LIMIT 1)
  FROM found WHERE found.user_id IS NOT NULL
)
SELECT user_id FROM found WHERE user_id IS NOT NULL
"""

LAG = (
    b"""
SELECT coalesce(sum(
  (SELECT max(position) FROM events e WHERE e.user_id = found.user_id)
  - coalesce((
      SELECT position FROM projections p
      WHERE p.user_id = found.user_id AND p.key = 'current_workout'
        AND EXISTS (SELECT FROM folds f WHERE f.user_id = p.user_id AND f.version = %s)
    ), 0)
), 0) FROM ("""
    + USERS
    + b") AS found"
)


class Statements:
    """What reads and writes projections: the live ones, or with a prefix those of the shadow."""

    def __init__(self, prefix: str) -> None:
        def on(query: str) -> bytes:
            return query.replace("$", prefix).encode()

        self.end = on(
            "SELECT coalesce((SELECT max(position) FROM events WHERE user_id = %s), 0), (SELECT position"
            " FROM $projections p JOIN $folds f USING (user_id)"
            " WHERE user_id = %s AND key = 'current_workout' AND version = %s)"
        )
        self.read = on(
            "SELECT key, data, position, (SELECT version FROM $folds WHERE user_id = %s)"
            " FROM $projections WHERE user_id = %s AND key = ANY(%s)"
        )
        # One look into the index for each, where a join may read all periods there ever were.
        self.periods = on(
            "SELECT kind, name, (SELECT data FROM $aggregates"
            " WHERE user_id = %s AND period_type = kind AND period_key = name)"
            " FROM unnest(%s::text[], %s::text[]) AS wanted (kind, name)"
        )
        self.put_rows = on(
            "INSERT INTO $projections (user_id, key, data, updated_at, position)"
            " SELECT %s, key, coalesce(data, 'null'), at, position FROM jsonb_to_recordset(%s::jsonb)"
            " AS put (key text, data jsonb, at timestamptz, position bigint) ON CONFLICT (user_id, key)"
            " DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at,"
            " position = excluded.position"
        )
        self.put_periods = on(
            "INSERT INTO $aggregates (user_id, period_type, period_key, data, updated_at)"
            " SELECT %s, kind, key, data, at FROM jsonb_to_recordset(%s::jsonb)"
            " AS put (kind text, key text, data jsonb, at timestamptz)"
            " ON CONFLICT (user_id, period_type, period_key)"
            " DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at"
        )
        self.remove_rows = on("DELETE FROM $projections WHERE user_id = %s AND key = ANY(%s)")
        self.put_fold = on(
            "INSERT INTO $folds (user_id, version) VALUES (%s, %s)"
            " ON CONFLICT (user_id) DO UPDATE SET version = excluded.version"
        )
        columns = "event_id, position, workout_id, exercise_id, at, weight, unit, reps, seconds"
        self.find_set = on(f"SELECT {columns} FROM $sets WHERE user_id = %s AND event_id = %s")
        self.heaviest = on(
            f"SELECT {columns} FROM $sets WHERE user_id = %s AND exercise_id = %s"
            " AND reps IS NOT NULL AND reps = %s ORDER BY weight_kg DESC, position LIMIT 1"
        )
        self.longest = on(
            f"SELECT {columns} FROM $sets WHERE user_id = %s AND exercise_id = %s"
            " AND reps IS NULL ORDER BY seconds DESC, weight_kg DESC, position LIMIT 1"
        )
        self.put_sets = on(
            f"INSERT INTO $sets (user_id, {columns}, weight_kg) SELECT %s, {columns}, weight_kg"
            " FROM jsonb_to_recordset(%s::jsonb) AS put (event_id text, position bigint, workout_id text,"
            " exercise_id text, at text, weight float8, unit text, reps bigint, seconds bigint,"
            " weight_kg float8) ON CONFLICT (user_id, event_id) DO UPDATE SET weight = excluded.weight,"
            " weight_kg = excluded.weight_kg, unit = excluded.unit, reps = excluded.reps,"
            " seconds = excluded.seconds"
        )
        self.remove_sets = on("DELETE FROM $sets WHERE user_id = %s AND event_id = ANY(%s)")
        self.clear = [
            on(f"DELETE FROM ${table} WHERE user_id = %s")
            for table in ("projections", "aggregates", "sets", "folds")
        ]


LIVE = Statements("")
SHADOW = Statements("shadow_")


def _swap(table: str, key: str, values: str, written: str, owned: str) -> tuple[bytes, bytes]:
    """Takes the rows out that the shadow has otherwise or not at all, and brings in those it has instead.

    ``values`` are compared; ``written`` go with them. Each answers how many rows it were.
    """

    def differing(table: str, other: str) -> str:
        same = f"(o.{key.replace(', ', ', o.')}) = (r.{key.replace(', ', ', r.')})"
        equal = f"(o.{values.replace(', ', ', o.')}) IS NOT DISTINCT FROM (r.{values.replace(', ', ', r.')})"
        return (
            f"FROM {table} r WHERE r.user_id = %s AND {owned} AND NOT EXISTS ("
            f"SELECT FROM {other} o WHERE o.user_id = r.user_id AND {same} AND {equal})"
        )

    columns = f"user_id, {key}, {written}"
    out = f"DELETE {differing(table, f'shadow_{table}')}"
    into = f"INSERT INTO {table} ({columns}) SELECT {columns} {differing(f'shadow_{table}', table)}"
    counted = "WITH done AS ({} RETURNING 1) SELECT count(*) FROM done"
    return counted.format(out).encode(), counted.format(into).encode()


# Rows of other programs stay where they are.
_OWN_KEYS = "({})".format(" OR ".join(f"starts_with(r.key, '{prefix}')" for prefix in PROJECTIONS))
_OWN_PERIODS = "r.period_type IN ({})".format(", ".join(f"'{kind}'" for kind in AGGREGATES))
_SET = "position, workout_id, exercise_id, at, weight, weight_kg, unit, reps, seconds"

SWAPS: dict[str, tuple[bytes, bytes]] = {
    "projections": _swap("projections", "key", "data, position", "data, position, updated_at", _OWN_KEYS),
    "aggregates": _swap("aggregates", "period_type, period_key", "data", "data, updated_at", _OWN_PERIODS),
    "sets": _swap("sets", "event_id", _SET, _SET, "true"),
}
