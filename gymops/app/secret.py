"""What does not belong in the environment: read from Secrets Manager when first needed, kept for a while."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from psycopg.conninfo import make_conninfo

from gymops.app.settings import AppSettings
from gymops.clock import Clock
from gymops.errors import ConfigError, GymopsError
from gymops.pg.conninfo import parse

_IN_SECRETS = ("GYMOPS_APP_PASSCODE", "GYMOPS_APP_PASSCODE_HASH", "GYMOPS_APP_SESSION_SECRET")
_ROTATED = "GYMOPS_APP_SESSION_SECRET"
SECONDS = 60.0
"""How old a secret may get before it is read again, where the settings do not say."""

_ENGINES = frozenset({"postgres", "aurora-postgresql"})
_LOOPBACK = ("localhost", "127.", "::1", "/", "@")

T = TypeVar("T")

_log = logging.getLogger("gymops.app")


class Secrets(Protocol):
    """Where secrets are kept; ``gymops.aws.secrets`` is one such place."""

    def read(self, arn: str, /) -> str:
        """The text under this ARN."""

    def read_stage(self, arn: str, stage: str, /) -> str | None:
        """The text of ``AWSPREVIOUS``, before the last rotation, or of ``AWSPENDING``, after the next."""


class Kept(Generic[T]):
    """What was read, and is read again when it is asked for later than that; if that fails the old goes on.

    A Lambda stands still between two requests, so a thread of its own could not keep it fresh.
    """

    def __init__(self, read: Callable[[], T], clock: Clock, seconds: float) -> None:
        self._read = read
        self._clock = clock
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: tuple[T, float, float] | None = None

    def __call__(self) -> T:
        """It; the first reading may fail.

        Raises:
            AwsError: a secret cannot be read.
            ConfigError: it is not what is needed.
        """
        if self._held is None:
            with self._lock:
                if self._held is None:
                    self._held = (self._read(), *self._now())
        elif self._old(self._held) and self._lock.acquire(blocking=False):  # others need not wait for one
            try:
                self._held = self._again(self._held)
            finally:
                self._lock.release()
        return self._held[0]

    def _again(self, held: tuple[T, float, float]) -> tuple[T, float, float]:
        asked = self._now()
        try:
            return (self._read(), *asked)
        except GymopsError as error:
            _log.warning("secrets are not read again, the old ones go on: %s", error.message)
            return (held[0], *asked)

    def _old(self, held: tuple[T, float, float]) -> bool:
        """By either clock: the one may stand still with the machine, and the other be set."""
        monotonic, wall = self._now()
        return max(monotonic - held[1], wall - held[2]) >= self._seconds

    def _now(self) -> tuple[float, float]:
        return self._clock.monotonic(), self._clock.now().timestamp()


@dataclass(frozen=True)
class Current:
    """The settings with their secrets, and why those that wait to take their place could not."""

    settings: AppSettings
    problem: str | None = None


class DatabaseUrl:
    """The database's connection string, from a secret that may be rotated at any time.

    RDS sets a new password while it is still pending, so a refused one that has not changed is followed by
    the pending one. A secret that RDS manages holds no more than user name and password; host, port and
    database then come from the settings, and so does the host where an RDS Proxy stands before the instance.
    """

    def __init__(
        self,
        read: Callable[[], str],
        *,
        pending: Callable[[], str | None] = lambda: None,
        host: str | None = None,
        port: str | None = None,
        name: str | None = None,
    ) -> None:
        self._read = read
        self._pending = pending
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
                refused, self._known = self._known, None
                found = connection_string(self._read(), **self._instead)
                if found == refused and (pending := self._pending()):
                    found = connection_string(pending, **self._instead)
                self._known = found
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
            if name == _ROTATED and (previous := secrets.read_stage(arn, "AWSPREVIOUS")):
                values[f"{name}_PREVIOUS"] = previous
    return values


def current(environ: Mapping[str, str], secrets: Secrets, *, bind: str | None = None) -> Current:
    """The settings as the secrets are now; what is to sign next is accepted already.

    So a rotation can see every process know the next value before the first of them signs with it.

    Raises:
        AwsError: a secret cannot be read.
        ConfigError: a setting is missing or wrong; not those that are pending.
    """
    values = filled(environ, secrets)
    arns = {name: environ.get(f"{name}_ARN") for name in _IN_SECRETS}
    waiting = {name: secrets.read_stage(arn, "AWSPENDING") for name, arn in arns.items() if arn}
    pending = {name: text for name, text in waiting.items() if text is not None}
    try:
        AppSettings.from_environment({**values, **pending}, bind=bind)
    except ConfigError as error:
        problem = f"what is pending cannot be used: {error.message}"
        return Current(AppSettings.from_environment(values, bind=bind), problem)
    if _ROTATED in pending:
        values[f"{_ROTATED}_NEXT"] = pending[_ROTATED]
    return Current(AppSettings.from_environment(values, bind=bind))


def seconds(environ: Mapping[str, str]) -> float:
    """How old a secret may get.

    Raises:
        ConfigError: it is no number of seconds.
    """
    text = environ.get("GYMOPS_APP_SECRET_SECONDS") or str(int(SECONDS))
    if not text.isdecimal() or not 1 <= int(text) <= 3600:
        raise ConfigError(f"GYMOPS_APP_SECRET_SECONDS is {text!r}", hint="give a number from 1 to 3600")
    return float(text)


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
