"""Which database, and how the app proves there who it is: by a URL, by RDS's secret, or by IAM."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Protocol

from gymops.app.secret import DatabaseUrl, Secrets, connection_string
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.app.store.sessions import UrlProvider

_PLAIN = "GYMOPS_APP_DATABASE"
_ARN, _AUTH, _USER = f"{_PLAIN}_SECRET_ARN", f"{_PLAIN}_AUTH", f"{_PLAIN}_USER"
_HOST, _PORT, _NAME = f"{_PLAIN}_HOST", f"{_PLAIN}_PORT", f"{_PLAIN}_NAME"

_ONE_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


class Tokens(Protocol):
    """What makes a token in a password's place; ``gymops.aws.tokens`` is one such."""

    def sign(self, host: str, port: int, user: str, /) -> str:
        """A token for this user at this address, good for a short while."""


class TokenUrl:
    """The connection string of a user without a password: each time with a new token."""

    def __init__(self, tokens: Tokens, *, host: str, port: int, name: str, user: str) -> None:
        self._tokens = tokens
        self._host = host
        self._port = port
        self._name = name
        self._user = user

    def __call__(self, *, refresh: bool = False) -> str:  # noqa: ARG002 - it is always new
        """The connection string; a token outlives connecting and not much more.

        Raises:
            AwsError: there is nothing to sign with.
        """
        token = self._tokens.sign(self._host, self._port, self._user)
        return connection_string(
            "", host=self._host, port=str(self._port), dbname=self._name, user=self._user, password=token
        )


def provider(environ: Mapping[str, str], *, secrets: Secrets, tokens: Tokens) -> UrlProvider:
    """Where the settings say the database is; neither a secret nor a token is asked for yet.

    Raises:
        ConfigError: the settings contradict each other, or something is missing.
    """
    plain, arn = environ.get(_PLAIN), environ.get(_ARN)
    match environ.get(_AUTH) or "secret":
        case "iam":
            return _by_iam(environ, tokens)
        case "secret":
            pass
        case other:
            raise ConfigError(f"{_AUTH} is {other!r}", hint="give secret or iam")
    if environ.get(_USER):
        raise ConfigError(
            f"{_USER} is set, and a URL or a secret names its own user",
            hint=f"remove it, or set {_AUTH}=iam and neither {_PLAIN} nor {_ARN}",
        )
    if bool(plain) is bool(arn):
        raise ConfigError(
            "two databases are named" if plain else "no database is named",
            hint=f"set one of {_ARN} and {_PLAIN}",
        )
    return DatabaseUrl(
        partial(secrets.read, arn) if arn else lambda: plain or "",
        pending=partial(secrets.read_stage, arn, "AWSPENDING") if arn else lambda: None,
        host=environ.get(_HOST),
        port=environ.get(_PORT),
        name=environ.get(_NAME),
    )


def _by_iam(environ: Mapping[str, str], tokens: Tokens) -> TokenUrl:
    for name in (_PLAIN, _ARN):
        if environ.get(name):
            raise ConfigError(f"{name} is set, and {_AUTH}=iam takes no password", hint="keep one of both")
    if missing := [name for name in (_HOST, _NAME, _USER) if not environ.get(name)]:
        raise ConfigError(
            f"{_AUTH}=iam, and {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            hint="a token is for one user at one address, which the settings must name",
        )
    if not _ONE_HOST.fullmatch(environ[_HOST]):
        raise ConfigError(f"{_HOST} is {environ[_HOST]!r}", hint=f"{_AUTH}=iam needs the name of one host")
    port = environ.get(_PORT) or "5432"
    if not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65_535:
        raise ConfigError(f"{_PORT} is {port!r}", hint="give a number from 1 to 65535")
    return TokenUrl(tokens, host=environ[_HOST], port=int(port), name=environ[_NAME], user=environ[_USER])
