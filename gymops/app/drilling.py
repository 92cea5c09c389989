"""A drill: a fault in a database that was restored for a test, put in from inside of its network.

That it was restored for a test RDS says by a tag, which nothing in here can ask for: whoever calls has. What
can be asked in here is whether it is the database that everybody uses; and that is asked of the servers.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from gymops.errors import ConfigError, GateRefused
from gymops.eventlog import spoiling
from gymops.pg.connection import Connection, connect, translated

_LOCK = "SELECT pg_advisory_lock(%s, %s)"
_LOCKED = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND objsubid = 2
"""


def spoil(copy: str, source: str, how: str) -> dict[str, Any]:
    """Spoil a copy; both are URLs.

    Raises:
        GateRefused: it is the source, by whichever name.
        ConfigError: nothing of the kind can be done by SQL.
        Unverified: there is nothing to spoil.
    """
    if how not in spoiling.STATEMENTS:
        raise ConfigError(f"how is {how!r}", hint=f"one of {', '.join(spoiling.STATEMENTS)}")
    with (
        closing(connect(source, autocommit=True)) as there,
        closing(connect(copy, autocommit=True)) as here,
        translated(),
    ):
        _apart(here, there)
        return {"spoilt": spoiling.spoil(here, how)}


def own_password(environ: Mapping[str, str], at: Any) -> None:
    """See that a place has a password of its own: with that nobody gets into the source.

    Raises:
        GateRefused: it has not.
    """
    secret = at.get("secret") if isinstance(at, dict) else None
    if not secret or secret == environ.get("GYMOPS_APP_DATABASE_SECRET_ARN"):
        raise GateRefused(
            "a drill goes to a restored database with a password of its own only",
            hint="gymops restore-test ENV --drill restores one",
        )


def _apart(here: Connection, there: Connection) -> None:
    """A lock that is held there is seen from everywhere on that server, whatever it is called."""
    key = (secrets.randbits(31), secrets.randbits(31))
    there.execute(_LOCK, key)
    row = here.execute(_LOCKED, key).fetchone()
    if row is None or row[0]:
        raise GateRefused(
            "this is the environment's own database, and a drill never touches that",
            hint="gymops restore-test ENV --drill restores one to spoil",
        )
