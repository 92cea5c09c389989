"""An issuer's JWT: its keys are fetched when first needed, its algorithms are pinned here."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from threading import Lock
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from gymops.app.settings import JwtSettings
from gymops.clock import Clock

ALGORITHMS = ("RS256", "ES256")
"""Asymmetric ones only: a published key never passes for a shared secret."""

LEEWAY = 30
"""Seconds the issuer's clock may differ from ours."""
KEEP = 3600.0
"""Seconds fetched keys are good for; where the issuer is down, the old ones go on."""
APART = 30.0
"""Seconds between two fetches, whatever key ids tokens name."""
TIMEOUT = 3.0
_LARGEST = 256 * 1024

_log = logging.getLogger("gymops.app")


class BadToken(Exception):
    """The token is not to be believed; the text says why, for the log and not for the bearer."""


class KeysUnavailable(Exception):
    """The issuer's keys cannot be had at the moment."""


class Tokens:
    """Verifies tokens of one issuer, meant for one audience."""

    def __init__(
        self, settings: JwtSettings, clock: Clock, fetch: Callable[[str], bytes] | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._fetch = fetch or fetch_https
        self._lock = Lock()
        self._keys: dict[str, Any] = {}
        self._fetched: float | None = None
        self._tried: float | None = None

    def subject(self, token: str) -> str:
        """The user a token speaks for.

        Raises:
            BadToken: it is forged, over, or meant for someone else.
            KeysUnavailable: it cannot be verified now.
        """
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise BadToken(f"algorithm {header.get('alg')!r}")
            key = self._key(str(header.get("kid", "")))
            if key.algorithm_name != header["alg"]:
                raise BadToken(f"{header['alg']} with a key for {key.algorithm_name}")
            claims = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise BadToken(f"{type(error).__name__}: {error}") from None
        return str(claims["sub"])

    def _key(self, kid: str) -> Any:
        with self._lock:
            now = self._clock.monotonic()
            old = self._fetched is None or now - self._fetched > KEEP
            if (old or kid not in self._keys) and (self._tried is None or now - self._tried >= APART):
                self._tried = now
                self._refresh(now)
            if kid in self._keys:
                return self._keys[kid]
            if self._fetched is None:
                raise KeysUnavailable
        raise BadToken("no such key")

    def _refresh(self, now: float) -> None:
        try:
            keys = _usable(self._fetch(self._settings.jwks_url))
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
            _log.warning("the keys of %s cannot be fetched: %s", self._settings.issuer, error)
            return
        self._keys, self._fetched = keys, now


def _usable(document: bytes) -> dict[str, Any]:
    """The keys that sign with one of our algorithms, by their id; others are not looked at."""
    import jwt

    keys = {}
    for one in json.loads(document)["keys"]:
        if (
            not isinstance(one, dict)
            or one.get("kty") not in {"RSA", "EC"}
            or one.get("use", "sig") != "sig"
            or not one.get("kid")
        ):
            continue
        try:
            key = jwt.PyJWK.from_dict(one)
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if key.algorithm_name in ALGORITHMS:
            keys[str(one["kid"])] = key
    if not keys:
        raise ValueError("it publishes no key that could be used")
    return keys


def fetch_https(url: str) -> bytes:
    """What lies at an https address itself; a redirect is not followed.

    Raises:
        OSError: it cannot be had in time.
        ValueError: it is no https address, or holds too much.
    """
    import http.client  # with TLS and all: a passcode, or no network, never needs it

    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError(f"{url}: only https")
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT)
    try:
        connection.request("GET", urlunsplit(("", "", parts.path or "/", parts.query, "")))
        answer = connection.getresponse()
        if answer.status != 200:
            raise OSError(f"{url} answers {answer.status}")
        document = answer.read(_LARGEST + 1)
    except http.client.HTTPException as error:
        raise OSError(f"{url}: {type(error).__name__}") from None
    finally:
        connection.close()
    if len(document) > _LARGEST:
        raise ValueError(f"{url} holds more than {_LARGEST} bytes")
    return document
