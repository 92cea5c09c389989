"""From a request to a user: a token, else a cookie, else nobody; and on loopback the one user."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request

from gymops.app.auth import passcode
from gymops.app.auth.cookies import NAME, Cookies
from gymops.app.auth.tokens import BadToken, KeysUnavailable, Tokens
from gymops.app.limits import RateLimit
from gymops.app.problems import Problem, too_many, unavailable
from gymops.app.secret import Current
from gymops.app.settings import AppSettings
from gymops.clock import Clock

TOKEN_HEADERS = ("x-gymops-authorization", "authorization")
"""The first is ours: CloudFront signs what it sends to a function and overwrites Authorization."""

_USER = re.compile(r"[^\x00-\x1f\x7f/\\\ud800-\udfff]{1,200}")

_log = logging.getLogger("gymops.app")


@dataclass(frozen=True)
class Identity:
    """Who is asking, and how that is known."""

    user: str
    auth: Literal["none", "passcode", "jwt"]
    stale: bool = False
    """The cookie is good, and it is time for a new one."""


@dataclass(frozen=True)
class _Means:
    """What follows from the secrets."""

    settings: AppSettings
    cookies: Cookies | None
    matches: Callable[[str], bool] | None

    @classmethod
    def of(cls, settings: AppSettings, clock: Clock) -> _Means:
        cookies = Cookies(settings, clock) if settings.by_passcode else None
        return cls(settings, cookies, _checker(settings))


class Authenticator:
    """Lets in whom the settings name, and nobody else."""

    def __init__(
        self,
        settings: AppSettings,
        clock: Clock,
        fetch: Callable[[str], bytes] | None = None,
        current: Callable[[], Current] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._current = current or (lambda: Current(settings))
        self._tokens = Tokens(settings.jwt, clock, fetch) if settings.jwt else None
        self._means = _Means.of(settings, clock)
        # One address tries a few times; many addresses together not much more often.
        self._tries = RateLimit(clock, per_minute=4, burst=8)
        self._all_tries = RateLimit(clock, per_minute=30, burst=60)

    @property
    def cookies(self) -> Cookies | None:
        """What makes cookies and reads them, by the secrets as they are now."""
        return self._by_secrets().cookies

    @property
    def problem(self) -> str | None:
        """Why the secrets that wait to be used could not be."""
        return self._current().problem

    def _by_secrets(self) -> _Means:
        settings = self._current().settings
        if settings != self._means.settings:
            self._means = _Means.of(settings, self._clock)
        return self._means

    def identify(self, request: Request) -> Identity:
        """The user of a request.

        Raises:
            Problem: 401 when nothing, or nothing valid, says who it is; 503 when that cannot be told now.
        """
        if self._settings.open:
            return Identity(self._settings.user, "none")
        token = _bearer(request)
        if token is not None and self._tokens:
            return Identity(self._user_of(token, self._tokens), "jwt")
        cookies = self.cookies
        session = cookies.read(request.cookies.get(NAME, "")) if cookies else None
        if session is None or session.user != self._settings.user:
            raise self._unknown("sign in first")
        return Identity(session.user, "passcode", session.stale)

    def sign_in(self, given: str, address: str) -> Cookies:
        """What makes cookies, to whoever knows the passcode.

        Raises:
            Problem: the passcode is wrong, was tried too often, or there is none.
        """
        means = self._by_secrets()
        if means.matches is None or means.cookies is None:
            raise Problem(404, "no_passcode", "there is no passcode here")
        wait = self._tries.take(address) or self._all_tries.take("")
        if wait:
            raise too_many(wait, "the passcode was tried too often; wait a moment")
        if len(given) > passcode.LONGEST or not means.matches(given):
            raise self._unknown("this is not the passcode")
        return means.cookies

    def _user_of(self, token: str, tokens: Tokens) -> str:
        try:
            user = tokens.subject(token)
        except BadToken as error:
            _log.info("a token was refused: %s", error)
            raise self._unknown("the token is not valid here", error="invalid_token") from None
        except KeysUnavailable:
            raise unavailable("keys_unavailable", "the token cannot be verified now", seconds=30) from None
        # A user's id is also the name of a folder.
        if not _USER.fullmatch(user) or len(user.encode()) > 200 or not user.strip(". "):
            raise Problem(403, "user_refused", "the token's sub is no user id this app takes")
        return user

    def _unknown(self, detail: str, *, error: str | None = None) -> Problem:
        scheme = "Bearer" if self._tokens else "Passcode"
        challenge = f'{scheme} realm="gymops"' + (f', error="{error}"' if error else "")
        return Problem(401, "not_signed_in", detail, headers={"WWW-Authenticate": challenge})


def _checker(settings: AppSettings) -> Callable[[str], bool] | None:
    if settings.passcode_hash:
        return passcode.hashed(settings.passcode_hash)
    return passcode.plain(settings.passcode) if settings.passcode else None


def _bearer(request: Request) -> str | None:
    for name in TOKEN_HEADERS:
        scheme, _, token = request.headers.get(name, "").partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
    return None
