"""PostgreSQL at Neon: the branches of a project, and how one is reached, by Neon's API.

``main`` is production, ``staging`` is staging, ``dev-*`` is a feature each. The token is shown to Neon and to
nobody else.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from gymops.clock import Clock, ticks
from gymops.errors import ConfigError, GateRefused, GymopsError
from gymops.pg.conninfo import parse

TOKEN, PROJECT, HOST = "NEON_API_KEY", "NEON_PROJECT_ID", "NEON_API_HOST"
MAIN, STAGING = "main", "staging"

_API = "https://console.neon.tech/api/v2"
_NAME = re.compile(r"main|staging|dev-[a-z0-9][a-z0-9-]{0,48}")
_HERE = {"127.0.0.1", "localhost", "::1"}
_SECONDS = 30.0
_PATIENCE, _PAUSE = 300.0, 1.0
"""Seconds for what Neon does, and between two looks; a few are usual."""
_BUSY = frozenset({409, 423, 429, 503})
_ENDED = frozenset({"finished", "skipped"})
_FAILED = frozenset({"failed", "error", "cancelled"})
_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
_POOLED = "-pooler"


class NeonError(GymopsError):
    """Neon refuses, or does not answer."""

    code = "neon"


@dataclass(frozen=True)
class Branch:
    """A branch of a project: a database of its own, that began as another's copy."""

    id: str
    name: str
    parent: str | None
    """The id of the branch it began as; None: the first of all."""
    state: str
    created: str
    """As Neon writes times."""
    kept: bool = False
    """Whether it is the project's default, or protected: it is neither reset nor deleted."""


class Neon:
    """One project.

    Raises:
        ConfigError: token or project are missing, or the address would show the token to the network.
    """

    def __init__(self, environ: Mapping[str, str], clock: Clock) -> None:
        for name, what in ((TOKEN, "an API key, of Neon's account settings"), (PROJECT, "the project's id")):
            if not environ.get(name):
                raise ConfigError(f"{name} is not set", hint=f"export {name}=...: {what}")
        self._token, self._clock = environ[TOKEN], clock
        api = (environ.get(HOST) or _API).rstrip("/")
        address = urlsplit(api)
        if address.scheme != "https" and address.hostname not in _HERE:
            raise ConfigError(f"{HOST} is no https address", hint="the token is sent there: unset it")
        self._project = f"{api}/projects/{quote(environ[PROJECT], safe='')}"
        # No redirect: it would take the token along.
        self._opener = urllib.request.build_opener(_Stay)

    def branches(self) -> list[Branch]:
        """All of them, the oldest first.

        Raises:
            NeonError: they cannot be listed.
        """
        found: list[Branch] = []
        cursor = ""
        while True:
            asked = {"limit": "100", "sort_by": "created_at", "sort_order": "asc"}
            told = self._ask(
                "GET", f"/branches?{urlencode({**asked, **({'cursor': cursor} if cursor else {})})}"
            )
            found += [_branch(one) for one in told["branches"]]
            cursor = (told.get("pagination") or {}).get("next") or ""
            if not cursor or not told["branches"]:
                return found

    def branch(self, name: str) -> Branch:
        """One by its name.

        Raises:
            NeonError: there is none.
        """
        found = next((one for one in self.branches() if one.name == name), None)
        if found is None:
            raise _missing(name)
        return found

    def create(self, name: str, parent: str) -> Branch:
        """A branch that begins as its parent is now, with a server of its own; one that is there stays.

        Raises:
            ConfigError: it would be called otherwise than the house's branches.
            NeonError: it cannot be made.
        """
        _checked(name)
        every = {one.name: one for one in self.branches()}
        if name in every:
            return every[name]
        if parent not in every:
            raise _missing(parent)
        body = {
            "branch": {"name": name, "parent_id": every[parent].id},
            "endpoints": [{"type": "read_write"}],
        }
        return _branch(self._done("POST", "/branches", body)["branch"])

    def reset(self, name: str) -> Branch:
        """Make a branch as its parent is now; what was written to it is gone.

        Raises:
            GateRefused: it is production.
            NeonError: it has no parent, or cannot be reset.
        """
        found = self._expendable(name, "reset")
        if found.parent is None:
            raise NeonError(f"{name} began as no other branch", hint="delete it, and create it again")
        body = {"source_branch_id": found.parent}
        return _branch(self._done("POST", f"/branches/{found.id}/restore", body)["branch"])

    def delete(self, name: str) -> Branch:
        """Delete a branch, with its server.

        Raises:
            GateRefused: it is production.
            NeonError: others began as it, or it cannot be deleted.
        """
        found = self._expendable(name, "deleted")
        self._done("DELETE", f"/branches/{found.id}")
        return found

    def url(self, branch: Branch, *, database: str, role: str, pooled: bool) -> str:
        """How a branch is reached, password included: through its pool, or directly; always by TLS.

        Raises:
            NeonError: there is no such database or role, or the answer is of the other kind.
        """
        asked = {
            "branch_id": branch.id, "database_name": database, "role_name": role,
            "pooled": str(pooled).lower(),
        }  # fmt: skip
        text = str(self._ask("GET", f"/connection_uri?{urlencode(asked)}")["uri"])
        known = parse(text)
        if (_POOLED in known.get("host", "").partition(".")[0]) is not pooled:
            kind, other = ("pooled", "direct") if pooled else ("direct", "pooled")
            raise NeonError(
                f"Neon was asked for the {kind} address of {branch.name}, and gave the {other} one",
                hint="nothing was kept; look at the branch's computes in Neon's console",
            )
        return text if known.get("sslmode") in _ENCRYPTED else _encrypted(text)

    def _expendable(self, name: str, what: str) -> Branch:
        if name == MAIN:
            raise GateRefused(
                f"{MAIN} is production: it is not {what}",
                hint="a moment of before is a new branch, in Neon's console; or gymops restore",
            )
        _checked(name)
        found = self.branch(name)
        if found.kept:
            raise GateRefused(
                f"{name} is the project's default branch, or protected", hint="change that in Neon's console"
            )
        return found

    def _done(self, method: str, path: str, body: Any = None) -> Any:
        """What is asked for, when Neon has done it: it answers before."""
        told = self._ask(method, path, body)
        waiting = [one["id"] for one in told.get("operations", ())]
        for _ in ticks(self._clock, timeout=_PATIENCE, interval=_PAUSE):
            while waiting:
                found = self._ask("GET", f"/operations/{waiting[0]}")["operation"]
                if found["status"] in _FAILED:
                    raise NeonError(
                        f"Neon could not do it: {found.get('action')}, {found['status']}",
                        hint="the project's operations in Neon's console say more",
                    )
                if found["status"] not in _ENDED:
                    break
                waiting.pop(0)
            if not waiting:
                return told
        raise NeonError(
            f"Neon is still at it after {_PATIENCE / 60:.0f} minutes", hint="gymops neon branches shows it"
        )

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """One call; again while the project is busy with another."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        if data:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self._project + path, data, headers, method=method)  # noqa: S310 - checked
        why = ""
        for _ in ticks(self._clock, timeout=_PATIENCE, interval=_PAUSE):
            try:
                with self._opener.open(request, timeout=_SECONDS) as answer:
                    return json.loads(answer.read() or b"{}")
            except urllib.error.HTTPError as error:
                with error:
                    status, why = error.code, _why(error.read())
                if status not in _BUSY:
                    raise _refused(status, why) from None
            except (OSError, ValueError) as error:
                reason = getattr(error, "reason", None) or type(error).__name__
                raise NeonError(
                    f"Neon's API does not answer: {reason}", hint="try again; neonstatus.com says how it is"
                ) from None
        raise NeonError(f"the project is busy: {why}", hint="try again in a few minutes")


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **named: Any) -> None:  # noqa: ARG002 - as it is called
        return None


def _branch(told: Mapping[str, Any]) -> Branch:
    return Branch(
        told["id"], told["name"], told.get("parent_id"), str(told.get("current_state", "")),
        str(told.get("created_at", "")), bool(told.get("protected") or told.get("default")),
    )  # fmt: skip


def _missing(name: str) -> NeonError:
    hint = f"gymops neon create {name}"
    if name == MAIN:
        hint = f"in Neon's console, rename the project's default branch to {MAIN}"
    return NeonError(f"the project has no branch {name}", hint=hint)


def _checked(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no branch of the house", hint=f"{MAIN}, {STAGING}, or dev-NAME in small letters"
        )


def _encrypted(url: str) -> str:
    base, _, query = url.partition("?")
    others = [one for one in query.split("&") if one and not one.startswith("sslmode=")]
    return f"{base}?{'&'.join([*others, 'sslmode=require'])}"


def _refused(status: int, why: str) -> NeonError:
    if status in (401, 403):
        return NeonError(
            f"Neon refuses the token: {why}", hint=f"export {TOKEN}=... with a key of this project"
        )
    return NeonError(f"Neon refuses: {why} (HTTP {status})", hint="gymops neon branches shows what there is")


def _why(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return "without a reason"
