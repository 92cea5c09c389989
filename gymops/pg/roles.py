"""The app's own role, let in by IAM where the server is one of RDS."""

from __future__ import annotations

from gymops.clock import Clock
from gymops.errors import SchemaError
from gymops.pg.connection import translated
from gymops.pg.failures import DatabaseError, Kind
from gymops.pg.lock import hold

# A role that can log in already is left as its administrator made it: with rds_iam, RDS no longer takes
# its password.
_WAITS = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'gymops_app' AND NOT rolcanlogin)
   AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_iam')
"""
# Sent as one message, so that it is one transaction.
_ADMIT = "ALTER ROLE gymops_app LOGIN; GRANT rds_iam TO gymops_app"


def admit(url: str, *, clock: Clock) -> bool:
    """Let ``gymops_app`` log in with a token of IAM; whether that was still to be done.

    Only RDS has the role ``rds_iam``; elsewhere nothing happens. One at a time with schema upgrades.

    Raises:
        SchemaError: this user may not change the roles.
        LockHeld: an upgrade is at work.
        DatabaseError: the database cannot be used.
    """
    with hold(url, "schema", clock=clock, holder="roles") as lock:
        try:
            with translated():
                waits = lock.connection.execute(_WAITS).fetchone() == (True,)
                if waits:
                    lock.connection.execute(_ADMIT)
        except DatabaseError as error:
            if error.kind is not Kind.FORBIDDEN:
                raise
            raise SchemaError(
                "gymops_app may not log in yet, and this user may not let it",
                hint=f"the instance's master user runs: {_ADMIT}",
            ) from error
        return waits
