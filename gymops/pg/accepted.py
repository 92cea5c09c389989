"""Which schema this code works on: its own, and any later one that was only added to."""

from __future__ import annotations

from gymops.errors import SchemaError
from gymops.pg.revisions import Revision

MIN_SCHEMA = "0004"
"""The lowest revision this code works on."""
MAX_SCHEMA = "0005"
"""The highest revision this code knows; it works on what later expand revisions make of it, too."""

VERSIONS = b"SELECT version_num, to_jsonb(v) -> 'history' FROM alembic_version v ORDER BY version_num DESC"
"""The database's revision and the record of those applied; NULL where it was made before there was one."""


def newer(at: str, recorded: object) -> list[Revision]:
    """The revisions behind this code's last one, of a database whose revision ``at`` it does not know.

    Raises:
        SchemaError: there is no record of them, or one took away what this code may need.
    """
    applied = _read(recorded)
    ids = [one.id for one in applied]
    if MAX_SCHEMA not in ids or ids[-1] != at:
        raise unknown([at])
    found = applied[ids.index(MAX_SCHEMA) + 1 :]
    # A phase of which nothing is known may be anything.
    contracts = [one.id for one in found if one.phase != "expand"]
    if contracts:
        raise SchemaError(
            f"the database is at revision {at}, and {', '.join(contracts)} takes away what this gymops,"
            f" which works on {MIN_SCHEMA} to {MAX_SCHEMA}, may need",
            hint=f"use a later release, one that knows {contracts[-1]}: gymops releases ENV lists them",
        )
    return found


def unknown(versions: list[str]) -> SchemaError:
    """The database is at a revision of which nothing is known."""
    return SchemaError(
        f"the database is at revision {', '.join(sorted(versions))}, which this gymops does not know "
        f"(it works on {MIN_SCHEMA} to {MAX_SCHEMA})",
        hint="use the newer gymops that made it; if another program did, use an empty database",
    )


def _read(recorded: object) -> list[Revision]:
    if not isinstance(recorded, list) or not all(isinstance(one, dict) for one in recorded):
        return []
    return [
        Revision(str(one.get("id")), str(one.get("phase")), "of a later gymops than this") for one in recorded
    ]
