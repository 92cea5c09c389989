"""The owner's session: a cookie that says until when it is good, signed with HMAC-SHA256.

Nothing is stored on the server. A changed passcode ends every session; a rotated secret ends none, as
long as the previous value is still given, and the next one is before anybody signs with it.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass

from gymops.app.settings import AppSettings
from gymops.clock import Clock

NAME = "__Host-gymops"
"""The prefix makes browsers insist on Secure, on Path=/ and on this very host."""

_VALUE = re.compile(r"1\.([0-9]{1,12})\.([A-Za-z0-9_-]{1,700})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class Session:
    """A valid cookie's user, and whether it is time for a new one."""

    user: str
    stale: bool


class Cookies:
    """Makes and reads cookies."""

    def __init__(self, settings: AppSettings, clock: Clock) -> None:
        signing = (settings.session_secret, settings.session_secret_next, settings.session_secret_previous)
        passcode = settings.passcode or settings.passcode_hash or ""
        self._keys = [
            hmac.digest(one.encode(), b"gymops session 1\0" + passcode.encode(), "sha256")
            for one in signing
            if one
        ]
        self._fresh = 2 if settings.session_secret_next else 1
        self._clock = clock
        self.seconds = settings.session_days * 86_400

    def make(self, user: str) -> str:
        """A new value for this user."""
        until = int(self._clock.now().timestamp()) + self.seconds
        body = f"1.{until}.{_encode(user.encode())}"
        return f"{body}.{_sign(self._keys[0], body)}"

    def read(self, value: str) -> Session | None:
        """Whose session it is; None if it is not ours, was changed, or is over."""
        match = _VALUE.fullmatch(value)
        if match is None:
            return None
        body, signature = value.rpartition(".")[0], match[3]
        valid = [hmac.compare_digest(_sign(key, body), signature) for key in self._keys]
        left = int(match[1]) - self._clock.now().timestamp()
        if not any(valid) or left <= 0:
            return None
        stale = not any(valid[: self._fresh]) or left < self.seconds / 2
        return Session(_decode(match[2]).decode(), stale)


def _sign(key: bytes, body: str) -> str:
    return _encode(hmac.digest(key, body.encode(), "sha256"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
