"""What does not belong in the environment: read from Secrets Manager when first needed, then kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from psycopg.conninfo import make_conninfo

from gymops.app.store.base import StoreUnavailable
from gymops.aws.session import AwsError
from gymops.errors import ConfigError
from gymops.pg.conninfo import parse

Read = Callable[[], str]
"""Gives a secret's text; raises ``AwsError`` or ``ConfigError``."""

_ENGINES = frozenset({"postgres", "aurora-postgresql"})
_LOOPBACK = ("localhost", "127.", "::1", "/", "@")


class DatabaseUrl:
    """The database's connection string, from a secret that may be rotated at any time.

    A secret that RDS manages holds no more than user name and password; host, port and database then come
    from the settings, and so does the host where an RDS Proxy stands before the instance.
    """

    def __init__(
        self, read: Read, *, host: str | None = None, port: str | None = None, name: str | None = None
    ) -> None:
        self._read = read
        self._instead = {"host": host, "port": port, "dbname": name}
        self._lock = threading.Lock()
        self._known: str | None = None

    def __call__(self, *, refresh: bool = False) -> str:
        """The connection string; read anew with ``refresh``, as when the server refused the password.

        Raises:
            StoreUnavailable: the secret cannot be read.
            ConfigError: it does not say how to connect.
        """
        with self._lock:
            if self._known is None or refresh:
                self._known = None
                self._known = connection_string(self._text(), **self._instead)
            return self._known

    def _text(self) -> str:
        try:
            return self._read()
        except AwsError as error:
            raise StoreUnavailable(error.message, hint=error.hint) from None


def connection_string(text: str, **instead: str | None) -> str:
    """How to connect, from a secret as RDS writes it (JSON) or a plain URL; ``instead`` wins.

    Encrypted unless the server is on this machine or the URL says otherwise.

    Raises:
        ConfigError: something is missing. Nothing of the secret is repeated.
    """
    parameters = _rds(text) if text.lstrip().startswith("{") else parse(text.strip())
    chosen = {name: value for name, value in instead.items() if value}
    if "host" in chosen:
        parameters.pop("hostaddr", None)
    parameters |= chosen
    missing = [name for name in ("host", "dbname", "user") if not parameters.get(name)]
    if missing:
        raise ConfigError(
            f"the database's secret lacks {', '.join(missing)}",
            hint="a secret that RDS manages has no host and no database: set GYMOPS_APP_DATABASE_HOST and"
            " GYMOPS_APP_DATABASE_NAME",
        )
    if not all(host.startswith(_LOOPBACK) for host in parameters["host"].split(",")):
        parameters.setdefault("sslmode", "require")
    return make_conninfo("", **parameters)


def _rds(text: str) -> dict[str, str]:
    try:
        document: dict[str, Any] = json.loads(text)
    except ValueError:
        raise ConfigError("the database's secret is neither JSON nor a postgresql:// URL") from None
    engine = document.get("engine", "postgres")
    if engine not in _ENGINES:
        raise ConfigError("the database's secret is of another engine than PostgreSQL")
    names = {"username": "user", "password": "password", "host": "host", "port": "port", "dbname": "dbname"}
    return {ours: str(document[theirs]) for theirs, ours in names.items() if document.get(theirs)}
