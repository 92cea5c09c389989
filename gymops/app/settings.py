"""What the app is told by its surroundings, and the refusal to run open to a network."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from gymops.errors import ConfigError

PREFIX = "GYMOPS_APP_"

VARIABLES: dict[str, str] = {
    "GYMOPS_APP_ENVIRONMENT": "where this runs; prod turns HSTS on and /openapi.json off (default: prod)",
    "GYMOPS_APP_USER": "the owner: whose log a passcode, or nobody on loopback, opens (default: default)",
    "GYMOPS_APP_PASSCODE": "the owner's passcode, 8 characters or more, from a secret",
    "GYMOPS_APP_PASSCODE_HASH": "the same as `python -m gymops.app.auth.passcode` prints it, in its stead",
    "GYMOPS_APP_SESSION_SECRET": "signs the cookies of a passcode, 32 characters or more",
    "GYMOPS_APP_SESSION_SECRET_PREVIOUS": "the value before the last rotation, still accepted",
    "GYMOPS_APP_SESSION_SECRET_NEXT": "what a rotation that is under way will sign with, accepted already",
    "GYMOPS_APP_SESSION_DAYS": "how long a cookie is good for (default: 30)",
    "GYMOPS_APP_JWT_ISSUER": "an https URL: tokens of this issuer are let in, each user by its sub",
    "GYMOPS_APP_JWT_AUDIENCE": "what such a token must be meant for",
    "GYMOPS_APP_JWT_JWKS_URL": "the issuer's keys (default: ISSUER/.well-known/jwks.json)",
    "GYMOPS_APP_ORIGINS": "origins, separated by commas, whose pages may call this API (default: none)",
    "GYMOPS_APP_API_ORIGIN": "another origin the page may call (default: only its own)",
    "GYMOPS_APP_UNIT": "kg or lb: what a weight without a unit is in (default: kg)",
    "GYMOPS_APP_VOICE_PER_MINUTE": "sentences each user may say in a minute (default: 60)",
    "GYMOPS_APP_LLM_PROVIDER": "anthropic or openai: asked for what the grammar does not understand",
    "GYMOPS_APP_LLM_KEY": "the key for it; without one nobody is asked",
}
"""Every setting; ``gymops serve --help`` prints this."""

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:\d{1,5})?")


@dataclass(frozen=True)
class JwtSettings:
    """Whose tokens are let in."""

    issuer: str
    audience: str
    jwks_url: str


@dataclass(frozen=True)
class AppSettings:
    """What ``create_app`` needs to know; without authentication it exists for a loopback address only.

    Raises:
        ConfigError: nothing would keep strangers out, or a value is wrong.
    """

    environment: str = "prod"
    bind: str | None = None
    """The address the server listens on; None where the app cannot know it, as on Lambda."""
    user: str = "default"
    passcode: str | None = field(default=None, repr=False)
    passcode_hash: str | None = field(default=None, repr=False)
    session_secret: str | None = field(default=None, repr=False)
    session_secret_previous: str | None = field(default=None, repr=False)
    session_secret_next: str | None = field(default=None, repr=False)
    session_days: int = 30
    jwt: JwtSettings | None = None
    origins: tuple[str, ...] = ()
    api_origin: str | None = None
    unit: Literal["kg", "lb"] = "kg"
    voice_per_minute: int = 60
    llm_provider: Literal["anthropic", "openai"] | None = None
    llm_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.open and not is_loopback(self.bind):
            where = f"{self.bind} can be reached by others" if self.bind else "others can reach this app"
            raise ConfigError(
                f"{where}, and nothing is set that keeps them out",
                hint=f"set {PREFIX}PASSCODE and {PREFIX}SESSION_SECRET, or {PREFIX}JWT_ISSUER and "
                f"{PREFIX}JWT_AUDIENCE; or listen on 127.0.0.1",
            )
        if self.by_passcode:
            self._check_passcode()
        if self.jwt:
            _https(self.jwt.issuer, "JWT_ISSUER")
            _https(self.jwt.jwks_url, "JWT_JWKS_URL")
        for origin in (*self.origins, *([self.api_origin] if self.api_origin else [])):
            if not _ORIGIN.fullmatch(origin):
                raise ConfigError(
                    f"{origin!r} is no origin of a page",
                    hint="write it as https://gym.example, without a path",
                )

    def _check_passcode(self) -> None:
        if self.passcode and self.passcode_hash:
            raise ConfigError(f"{PREFIX}PASSCODE and {PREFIX}PASSCODE_HASH are both set", hint="keep one")
        if self.passcode and len(self.passcode) < 8:
            raise ConfigError(f"{PREFIX}PASSCODE is too short", hint="8 characters or more")
        for name, secret in (
            ("SESSION_SECRET", self.session_secret or ""),
            ("SESSION_SECRET_PREVIOUS", self.session_secret_previous),
            ("SESSION_SECRET_NEXT", self.session_secret_next),
        ):
            if secret is not None and len(secret) < 32:
                raise ConfigError(
                    f"{PREFIX}{name} is {'too short' if secret else 'missing'}: it signs the cookies",
                    hint="32 characters or more; openssl rand -hex 32 prints some",
                )

    @property
    def by_passcode(self) -> bool:
        """Whether the owner signs in with a passcode."""
        return bool(self.passcode or self.passcode_hash)

    @property
    def open(self) -> bool:
        """Whether whoever reaches the app is its one user."""
        return not self.by_passcode and self.jwt is None

    @property
    def production(self) -> bool:
        return self.environment in {"prod", "production"}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, bind: str | None = None) -> AppSettings:
        """Read the variables ``GYMOPS_APP_*``; an empty one counts as not set.

        Raises:
            ConfigError: naming the variable.
        """
        given = {
            name.removeprefix(PREFIX).lower(): value.strip()
            for name, value in environ.items()
            if name in VARIABLES and value.strip()
        }
        return cls(
            environment=given.get("environment", "prod"),
            bind=bind,
            user=given.get("user", "default"),
            passcode=given.get("passcode"),
            passcode_hash=given.get("passcode_hash"),
            session_secret=given.get("session_secret"),
            session_secret_previous=given.get("session_secret_previous"),
            session_secret_next=given.get("session_secret_next"),
            session_days=_number(given, "session_days", 30, most=366),
            jwt=_jwt(given),
            origins=_origins(given.get("origins", "")),
            api_origin=given.get("api_origin", "").lower().rstrip("/") or None,
            unit=_unit(given.get("unit", "kg")),
            voice_per_minute=_number(given, "voice_per_minute", 60, most=6000),
            llm_provider=_provider(given),
            llm_key=given.get("llm_key"),
        )


def is_loopback(host: str | None) -> bool:
    """Whether only this machine reaches what listens there."""
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _jwt(given: Mapping[str, str]) -> JwtSettings | None:
    issuer, audience, keys = (given.get(name) for name in ("jwt_issuer", "jwt_audience", "jwt_jwks_url"))
    if not (issuer or audience or keys):
        return None
    if not issuer or not audience:
        raise ConfigError(
            f"{PREFIX}{'JWT_AUDIENCE' if issuer else 'JWT_ISSUER'} is missing",
            hint="a token is of an issuer and for an audience: set both",
        )
    return JwtSettings(issuer, audience, keys or f"{issuer.rstrip('/')}/.well-known/jwks.json")


def _https(url: str, name: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username:
        raise ConfigError(f"{PREFIX}{name} is no https URL", hint="for example https://example.eu.auth0.com/")


def _origins(text: str) -> tuple[str, ...]:
    return tuple(one.strip().lower().rstrip("/") for one in text.split(",") if one.strip())


def _number(given: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    text = given.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= most:
        raise ConfigError(f"{PREFIX}{name.upper()} is {text!r}", hint=f"give a whole number from 1 to {most}")
    return int(text)


def _unit(text: str) -> Literal["kg", "lb"]:
    match text:
        case "kg":
            return "kg"
        case "lb":
            return "lb"
    raise ConfigError(f"{PREFIX}UNIT is {text!r}", hint="give kg or lb")


def _provider(given: Mapping[str, str]) -> Literal["anthropic", "openai"] | None:
    match given.get("llm_provider"):
        case "anthropic":
            return "anthropic"
        case "openai":
            return "openai"
        case None if "llm_key" not in given:
            return None
        case wrong:
            raise ConfigError(
                f"{PREFIX}LLM_PROVIDER is {wrong or 'missing: whose key is it?'}",
                hint="give anthropic or openai",
            )
