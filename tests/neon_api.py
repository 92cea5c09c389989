"""Neon's API on this machine: the calls gymops makes, answered as its documentation says, busy at times."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY, PROJECT, PASSWORD = "napi_key", "quiet-fog-1", "pass-of-neon"


@dataclass
class Project:
    """What Neon knows."""

    url: str = ""
    branches: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    busy: int = 0
    """So many calls that change something are refused first, for another is going on."""
    fails: bool = False
    """What is begun does not succeed."""
    written: dict[str, int] = field(default_factory=dict)
    """Branch's id -> what was written to it since it began."""
    operations: dict[str, int] = field(default_factory=dict)
    """Operation -> how often it is still asked for in vain."""
    query: str = "sslmode=require&channel_binding=require"
    pooled: str = "-pooler"

    def environ(self, **more: str) -> dict[str, str]:
        return {"NEON_API_KEY": KEY, "NEON_PROJECT_ID": PROJECT, "NEON_API_HOST": self.url, **more}

    def names(self) -> list[str]:
        return [one["name"] for one in self.branches]

    def add(self, name: str, parent: str | None, **more: Any) -> dict[str, Any]:
        made = {
            "id": f"br-{len(self.branches)}", "name": name, "current_state": "ready",
            "created_at": "2026-11-21T00:00:00Z", **({"parent_id": parent} if parent else {}), **more,
        }  # fmt: skip
        self.branches.append(made)
        self.written[made["id"]] = 1
        return made

    def begun(self) -> list[dict[str, str]]:
        made = [f"op-{len(self.operations) + more}" for more in (0, 1)]
        self.operations |= dict.fromkeys(made, 2)
        return [{"id": name, "action": "create_branch", "status": "scheduling"} for name in made]

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        found = re.fullmatch(rf"/projects/{PROJECT}/(\w+)(?:/([\w-]+))?(?:/(\w+))?", path)
        if not found:
            return 404, {"message": "project not found"}
        what, which, then = found.groups()
        if method != "GET" and self.busy:
            self.busy -= 1
            return 423, {"message": "project already has running operations"}
        branch = next((one for one in self.branches if one["id"] == which), None)
        match method, what, then:
            case "GET", "branches", None:
                first = int(query.get("cursor", ["0"])[0])
                page = self.branches[first : first + 2]
                following = {"pagination": {"next": str(first + 2)}} if first + 2 < len(self.branches) else {}
                return 200, {"branches": page, **following}
            case "POST", "branches", None:
                assert body["endpoints"] == [{"type": "read_write"}]
                made = self.add(body["branch"]["name"], body["branch"]["parent_id"])
                return 201, {"branch": made, "operations": self.begun()}
            case "POST", "branches", "restore" if branch:
                assert body == {"source_branch_id": branch["parent_id"]}
                self.written[branch["id"]] = 0
                return 200, {"branch": branch, "operations": self.begun()}
            case "DELETE", "branches", None if branch:
                if any(one.get("parent_id") == branch["id"] for one in self.branches):
                    return 422, {"message": "branch has children"}
                self.branches.remove(branch)
                return 200, {"branch": branch, "operations": self.begun()}
            case "GET", "operations", None:
                self.operations[which] -= 1
                ended = "failed" if self.fails else "finished"
                status = ended if self.operations[which] <= 0 else "running"
                return 200, {"operation": {"id": which, "action": "create_branch", "status": status}}
            case "GET", "connection_uri", None:
                pooled = self.pooled if query["pooled"] == ["true"] else ""
                host = f"ep-{query['branch_id'][0]}{pooled}.us-east-1.aws.neon.tech"
                name, role = query["database_name"][0], query["role_name"][0]
                return 200, {"uri": f"postgresql://{role}:{PASSWORD}@{host}/{name}?{self.query}"}
        return 404, {"message": f"no {method} {path}"}


@contextmanager
def neon_api() -> Iterator[Project]:
    """A project with the branch main, at an address of its own."""
    project = Project()
    project.add("main", None, default=True)

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            """What was asked is in the project."""

        def _any(self) -> None:
            split = urlsplit(self.path)
            project.asked.append(f"{self.command} {split.path}")
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") == f"Bearer {KEY}":
                body = json.loads(text) if text else None
                status, found = project.answer(self.command, split.path, parse_qs(split.query), body)
            else:
                status, found = 401, {"message": "authentication required"}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        do_GET = do_POST = do_DELETE = _any  # noqa: N815 - as they are called

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    project.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield project
    finally:
        server.shutdown()
        server.server_close()
