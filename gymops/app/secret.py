"""What does not belong in the environment: read from Secrets Manager when first needed, then kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from psycopg.conninfo import make_conninfo

from gymops.errors import ConfigError
from gymops.pg.conninfo import parse

_IN_SECRETS = ("GYMOPS_APP_PASSCODE", "GYMOPS_APP_PASSCODE_HASH", "GYMOPS_APP_SESSION_SECRET")
_ROTATED = "GYMOPS_APP_SESSION_SECRET"

_ENGINES = frozenset({"postgres", "aurora-postgresql"})
_LOOPBACK = ("localhost", "127.", "::1", "/", "@")


class Secrets(Protocol):
    """Where secrets are kept; ``gymops.aws.secrets`` is one such place."""

    def read(self, arn: str, /) -> str:
        """The text under this ARN."""

    def read_previous(self, arn: str, /) -> str | None:
        """What it was before its last rotation."""


class DatabaseUrl:
    """The database's connection string, from a secret that may be rotated at any time.

    A secret that RDS manages holds no more than user name and password; host, port and database then come
    from the settings, and so does the host where an RDS Proxy stands before the instance.
    """

    def __init__(
        self,
        read: Callable[[], str],
        *,
        host: str | None = None,
        port: str | None = None,
        name: str | None = None,
    ) -> None:
        self._read = read
        self._instead = {"host": host, "port": port, "dbname": name}
        self._lock = threading.Lock()
        self._known: str | None = None

    def __call__(self, *, refresh: bool = False) -> str:
        """The connection string; read anew with ``refresh``, as when the server refused the password.

        Raises:
            AwsError: the secret cannot be read.
            ConfigError: it does not say how to connect.
        """
        with self._lock:
            if self._known is None or refresh:
                self._known = None
                self._known = connection_string(self._read(), **self._instead)
            return self._known


def filled(environ: Mapping[str, str], secrets: Secrets) -> dict[str, str]:
    """The settings, with the values of those given as ``NAME_ARN``; that which signs with its previous one.

    Raises:
        AwsError: a secret cannot be read.
        ConfigError: no ARN of a secret, or the value is given twice.
    """
    values = dict(environ)
    for name in _IN_SECRETS:
        if arn := environ.get(f"{name}_ARN"):
            if environ.get(name):
                raise ConfigError(f"{name} and {name}_ARN are both set", hint="keep one")
            values[name] = secrets.read(arn)
            if name == _ROTATED and (previous := secrets.read_previous(arn)):
                values[f"{name}_PREVIOUS"] = previous
    return values


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
    missing = [name for name in ("host", "dbname") if not parameters.get(name)]
    if missing:
        raise ConfigError(
            f"nothing says which {' and '.join(missing)} of the database",
            hint="a secret that RDS manages has neither: set GYMOPS_APP_DATABASE_HOST and"
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
