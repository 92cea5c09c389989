"""Sessions on PostgreSQL: opened one way, with the same settings, failing in a user's words."""

from __future__ import annotations

import logging
import math
import re
from typing import Any, LiteralString, NamedTuple, TypeAlias

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from gymops.errors import ConfigError
from gymops.pg.conninfo import parse, redact, secrets
from gymops.pg.failures import DatabaseError, Kind, translated

# What psycopg has to say of a rollback that failed is told by our own errors.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

__all__ = ["Connection", "DatabaseError", "Kind", "connect", "connect_plain", "redact", "translated"]

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

OLDEST = 14
"""The oldest major version of PostgreSQL that is supported."""

# By SQL and not as startup `options`, which RDS Proxy refuses.
_SETTINGS: dict[LiteralString, str] = {
    "client_encoding": "UTF8",
    "timezone": "UTC",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "statement_timeout": "0",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "0",
}
# Not every version or platform knows these; a refusal is harmless. The first four end the session of
# a client that was killed (at once) or whose machine vanished (within a minute), and with it its locks.
_WELCOME: dict[LiteralString, str] = {
    "client_connection_check_interval": "200ms",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
}
# The other way round: a server that vanished is noticed within a minute, not after two hours.
_PARAMETERS = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}


def connect(
    url: str, *, autocommit: bool = False, application: str = "gymops", timeout: float = 10.0
) -> Connection:
    """Open a session with the settings every part of gymops relies on.

    ``timeout`` is in seconds, for each host of the URL; its own ``connect_timeout`` wins.

    Raises:
        ConfigError: the URL cannot be understood.
        DatabaseError: the server cannot be reached, refuses, is too old or not in UTF-8.
    """
    connection = connect_plain(url, timeout=timeout)  # in autocommit: no rollback takes the settings back
    try:
        _supported(connection, url)
        with translated():
            connection.execute(_session(application))
        connection.autocommit = autocommit
    except BaseException:
        connection.close()
        raise
    return connection


def connect_plain(url: str, *, timeout: float = 10.0) -> Connection:
    """Open a session in autocommit as the server gives it: a SET would pin a connection of RDS Proxy.

    Raises:
        ConfigError: the URL cannot be understood.
        DatabaseError: the server cannot be reached, or refuses.
    """
    own = parse(url)
    parameters = {**_PARAMETERS, "connect_timeout": str(max(2, math.ceil(timeout))), **own}
    try:
        connection: Connection = psycopg.connect(
            make_conninfo("", **parameters),
            autocommit=True,
            prepare_threshold=None,  # prepared statements pin a session of RDS Proxy
        )
    except psycopg.Error as error:
        # Neither chained nor repeated unseen: libpq's text may hold what the user typed as password.
        raise _refusal(url, str(error), secrets(own)) from None
    return connection


def _supported(connection: Connection, url: str) -> None:
    version = connection.info.server_version // 10000
    encoding = connection.info.parameter_status("server_encoding")
    if version < OLDEST:
        raise DatabaseError(
            f"{redact(url)} runs PostgreSQL {version}; {OLDEST} is the oldest that is supported",
            kind=Kind.UNSUPPORTED,
            hint=f"upgrade the server, or name one with PostgreSQL {OLDEST} or later",
        )
    if encoding != "UTF8":
        raise DatabaseError(
            f"the database {redact(url)} is encoded in {encoding}; events need UTF8",
            kind=Kind.UNSUPPORTED,
            hint="create another: CREATE DATABASE name TEMPLATE template0 ENCODING 'UTF8'",
        )


def _session(application: str) -> sql.Composed:
    """All settings as one string, for one round trip."""
    fixed: dict[LiteralString, str] = {**_SETTINGS, "application_name": application}
    statements = [
        sql.SQL("SET {} TO {}").format(sql.Identifier(name), sql.Literal(value))
        for name, value in fixed.items()
    ]
    statements += [
        sql.SQL(
            "DO $$ BEGIN PERFORM set_config({}, {}, false); EXCEPTION WHEN OTHERS THEN NULL; END $$"
        ).format(sql.Literal(name), sql.Literal(value))
        for name, value in _WELCOME.items()
    ]
    return sql.SQL("; ").join(statements)


class _Refusal(NamedTuple):
    pattern: str
    kind: Kind
    sentence: str
    hint: str


_CHECK_URL = "check the URL's host and port; for the embedded server: gymops db start"
# A failed connection has no SQLSTATE in libpq, only a text; servers in another language fall through
# to the last resort below.
_REFUSALS = (
    _Refusal(
        r"Connection refused|No such file or directory\s+Is the server",
        Kind.UNREACHABLE,
        "nothing listens there",
        _CHECK_URL,
    ),
    _Refusal(
        r"resolve host|could not translate host name|Name or service not known",
        Kind.UNREACHABLE,
        "its host name is unknown",
        _CHECK_URL,
    ),
    _Refusal(
        r"timeout expired|timed out|[Uu]nreachable|No route to host",
        Kind.UNREACHABLE,
        "its host does not answer",
        "check the network, the security group and that the database is up",
    ),
    _Refusal(
        r"password authentication failed",
        Kind.REFUSED,
        "wrong user name or password",
        "correct the password; one from the environment comes as --to env:NAME",
    ),
    _Refusal(
        r"(?:PAM|IAM) authentication failed|IAM is allowed only|has no credentials for the role",
        Kind.REFUSED,
        "IAM does not let this user in",
        "the caller's policy needs rds-db:connect for this user, and the user needs the role rds_iam: GRANT"
        " rds_iam TO the user",
    ),
    _Refusal(
        r"no password supplied",
        Kind.REFUSED,
        "the server asks for a password and none is given",
        "name a variable that holds the whole URL: --to env:NAME",
    ),
    _Refusal(
        r"database \".*\" does not exist",
        Kind.NO_DATABASE,
        "the database does not exist",
        "create it (createdb), or name another",
    ),
    _Refusal(
        r"role \".*\" does not exist|[Pp]eer authentication failed|no pg_hba\.conf entry"
        r"|is not permitted to log in|pg_hba\.conf rejects",
        Kind.REFUSED,
        "the server does not let this user in from here",
        "check the user name; the server's pg_hba.conf or security settings decide who may connect",
    ),
    _Refusal(
        r"permission denied for database",
        Kind.FORBIDDEN,
        "this user may not connect to that database",
        "GRANT CONNECT ON DATABASE ... TO the user, or connect as another",
    ),
    _Refusal(
        r"too many clients|remaining connection slots|too many connections",
        Kind.TOO_MANY_CONNECTIONS,
        "the server takes no more connections",
        "end idle sessions or raise max_connections, then run the same command again",
    ),
    _Refusal(
        r"starting up|shutting down|in recovery mode|not yet accepting connections|not currently accepting",
        Kind.UNREACHABLE,
        "the server is not taking connections at the moment",
        "wait a moment, then run the same command again",
    ),
    _Refusal(
        r"does not support SSL|SSL was required|SSL error|certificate|sslmode value .* invalid when SSL",
        Kind.REFUSED,
        "no encrypted connection came about",
        "check sslmode and sslrootcert in the URL; the embedded server speaks no TLS",
    ),
    _Refusal(
        r"Permission denied",
        Kind.FORBIDDEN,
        "the socket's folder is private to another user",
        "run as the user who started the server",
    ),
    _Refusal(
        r"invalid response|expected authentication request|server closed the connection unexpectedly",
        Kind.UNREACHABLE,
        "what answers there is not a PostgreSQL server, or it went away at once",
        _CHECK_URL,
    ),
)
_WRONG_OPTION = re.compile(
    r"bad value for|invalid (?:port|integer|\w+ value)|could not match|must not be"
    r"|definition of service|service file"
)


def _refusal(url: str, text: str, hidden: list[str]) -> ConfigError | DatabaseError:
    place = f"cannot connect to {redact(url)}"
    for refusal in _REFUSALS:
        if re.search(refusal.pattern, text):
            return DatabaseError(f"{place}: {refusal.sentence}", kind=refusal.kind, hint=refusal.hint)
    said = "" if any(secret in text for secret in hidden) else f": {' '.join(text.split())}"
    if _WRONG_OPTION.search(text):
        return ConfigError(f"{place}{said}", hint="correct the parameter the message names")
    return DatabaseError(f"{place}{said}", kind=Kind.UNREACHABLE, hint=_CHECK_URL)
