"""What other pages in the user's browser may not do: write here, or reach a loopback address by name.

A page anywhere can make the browser send requests here. It cannot choose Origin, Sec-Fetch-Site or Host.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gymops.app.problems import Problem
from gymops.app.settings import AppSettings, is_loopback

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::\d{1,5})?", re.IGNORECASE)


class SameOrigin:
    """Refuses writes of foreign pages, and on loopback every request meant for another host.

    The second is what DNS rebinding does: a page's own name, pointed at 127.0.0.1 after it was loaded.
    """

    def __init__(self, app: ASGIApp, settings: AppSettings) -> None:
        self.app = app
        self._origins = frozenset(settings.origins)
        self._loopback = is_loopback(settings.bind)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = self._refusal(scope) if scope["type"] == "http" else None
        await (problem.response() if problem else self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        if self._loopback and not _names_loopback(headers.get("host", "")):
            return Problem(421, "wrong_host", "this address answers to localhost and 127.0.0.1 only")
        if scope["method"] not in _SAFE and not self._own_page(headers):
            return Problem(403, "foreign_page", "another page may not write here")
        return None

    def _own_page(self, headers: Headers) -> bool:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and origin.lower() in self._origins:
            return True
        if site is not None:
            return site in {"same-origin", "none"}
        # An older browser sends Origin at most; what is no browser sends neither.
        return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()


def _names_loopback(host: str) -> bool:
    match = _HOST.fullmatch(host)
    return bool(match) and is_loopback((match[1] or match[2]).lower())  # type: ignore[index]
