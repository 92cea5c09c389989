"""Asking one version of a function, before anybody else may: the paths of the smoke test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from gymops.errors import GymopsError


class Answer(Protocol):
    """One call of a function."""

    @property
    def version(self) -> str:
        """The version that answered."""

    @property
    def answer(self) -> Any:
        """What it answered."""

    @property
    def failed(self) -> bool:
        """Whether it raised, timed out or could not start."""

    @property
    def seconds(self) -> float:
        """How long it took."""


Call = Callable[[dict[str, Any]], Answer]
"""Calls one version, or an alias, with an event."""


@dataclass(frozen=True)
class Asked:
    """What a path answered."""

    path: str
    status: int | None
    """None: the function failed before it answered."""
    seconds: float
    version: str
    problem: str | None = None

    @property
    def good(self) -> bool:
        """Whether it answered 200."""
        return self.status == 200

    def as_dict(self) -> dict[str, Any]:
        """For the release's record."""
        return {**asdict(self), "seconds": round(self.seconds, 3), "good": self.good}


def ask(call: Call, path: str) -> Asked:
    """Ask for one path, as a function URL would.

    Raises:
        AwsError: the function was not reached at all.
    """
    found = call(request(path))
    if found.failed or not isinstance(found.answer, dict):
        return Asked(path, None, found.seconds, found.version, _told(found.answer))
    status = found.answer.get("statusCode")
    status = status if isinstance(status, int) else None
    problem = None if status == 200 else str(found.answer.get("body", ""))[:500]
    return Asked(path, status, found.seconds, found.version, problem)


def ask_all(call: Call, paths: Sequence[str]) -> list[Asked]:
    """Ask for every path. A version's first answer may be slow, and that is no fault."""
    return [ask(call, path) for path in paths]


def refuse(asked: Sequence[Asked], environment: str, *, served: bool = False) -> None:
    """Stop at an answer that is none; ``served``: users reach what was asked.

    Raises:
        SmokeFailed: naming the first path, its status and what it said.
    """
    for one in asked:
        if not one.good:
            status = "did not answer" if one.status is None else f"answered {one.status}"
            raise SmokeFailed(
                f"version {one.version}: {one.path} {status}{f': {one.problem}' if one.problem else ''}",
                hint=f"{'' if served else 'no request of a user reached it; '}gymops logs {environment} shows"
                " what it wrote",
            )


class SmokeFailed(GymopsError):
    """A release does not answer as it must; no traffic reached it."""

    exit_code = 5
    code = "smoke"


def request(path: str) -> dict[str, Any]:
    """A GET as a function URL writes it down.

    Source: Lambda's developer guide, "Request and response payloads" of function URLs (format 2.0).
    """
    path, _, query = path.partition("?")
    http = {
        "method": "GET",
        "path": path,
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "gymops",
    }
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "gymops.invalid", "user-agent": "gymops", "x-forwarded-proto": "https"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "gymops",
            "domainName": "gymops.invalid",
            "domainPrefix": "gymops",
            "http": http,
            "requestId": "gymops",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1767225600000,
        },
        "isBase64Encoded": False,
    }


def _told(answer: Any) -> str:
    """A failure in one line: its type and its message."""
    if isinstance(answer, dict):
        parts = (answer.get("errorType"), answer.get("errorMessage"))
        return ": ".join(str(part) for part in parts if part)[:500]
    return f"an answer that is no HTTP answer: {str(answer)[:200]}"
