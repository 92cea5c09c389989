"""What browsers are told, and what pages of others may not do."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from gymops.app.headers import security_headers
from gymops.app.routes import ROUTERS
from gymops.app.settings import AppSettings
from tests.unit.app.api.doubles import LOCAL, MemoryStore, client

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PROD = AppSettings(passcode="correct horse", session_secret="s" * 32)
EVENT = {"event_type": "WorkoutStarted", "payload": {"workout_id": "6f1c1f0e-8a68-4f0e-9f6a-1b7c5d0e2f33"}}
_PATHS = sorted({route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)})


@pytest.mark.parametrize("settings", [LOCAL, PROD], ids=["local", "prod"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("path", [*_PATHS, "/", "/nothing", "/openapi.json"])
def test_every_answer_has_the_security_headers(settings: AppSettings, method: str, path: str) -> None:
    headers = client(settings=settings).request(method, path.replace("{", "").replace("}", "")).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "microphone=(self)" in headers["permissions-policy"]
    assert headers["cache-control"] == ("no-store" if path.startswith("/api") else "no-cache")
    assert ("strict-transport-security" in headers) is settings.production
    assert not {"server", "access-control-allow-origin"} & set(headers)


def test_too_large_and_wrong_hosts_have_them_too() -> None:
    app = client()
    large = app.post("/api/events", content=b"x" * 70_000, headers={"content-type": "application/json"})
    wrong = app.get("/api/health", headers={"host": "evil.example"})
    assert (large.status_code, wrong.status_code) == (413, 421)
    assert large.headers["content-security-policy"] == wrong.headers["content-security-policy"] == POLICY


def test_another_api_origin_may_be_called() -> None:
    policy = security_headers(AppSettings(bind="127.0.0.1", api_origin="https://api.gym.example"))
    assert "connect-src 'self' https://api.gym.example;" in policy["Content-Security-Policy"]


def test_the_document_of_the_api_is_not_for_production() -> None:
    assert client().get("/openapi.json").json()["openapi"].startswith("3.1")
    assert client(settings=PROD).get("/openapi.json").status_code == 404


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "127.9.9.9", "LOCALHOST"]
)
def test_loopback_by_its_names(host: str) -> None:
    assert client().get("/api/session", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0:8000",
     "192.168.1.7", "", "localhost:8000:1", "user@localhost", "[::1", "localhost:port"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/session", "/", "/api/health"])
def test_a_name_pointed_at_loopback_is_refused(host: str, path: str) -> None:
    answer = client().get(path, headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "wrong_host")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost:8000"},
        {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ],
)
def test_one_s_own_page_writes_and_so_does_what_is_no_browser(headers: dict[str, str]) -> None:
    assert client().post("/api/events", json=EVENT, headers=headers).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": ""},
        {"origin": "http://localhost:8000", "sec-fetch-site": "cross-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_foreign_page_does_not_write(headers: dict[str, str], method: str) -> None:
    store = MemoryStore()
    path = "/api/events" if method == "POST" else "/api/session"
    answer = client(store).request(method, path, json=EVENT, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_page")
    assert not store.log


def test_origins_of_the_environment_may_call_and_no_others() -> None:
    settings = AppSettings(
        passcode="correct horse", session_secret="s" * 32, origins=("https://page.gym.example",)
    )
    app = client(settings=settings)
    asked = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-amz-content-sha256,x-gymops-authorization",
    }
    ours = app.options("/api/events", headers={"origin": "https://page.gym.example", **asked})
    assert ours.status_code == 200
    assert ours.headers["access-control-allow-origin"] == "https://page.gym.example"
    theirs = app.options("/api/events", headers={"origin": "https://evil.example", **asked})
    assert "access-control-allow-origin" not in theirs.headers
    page = {"origin": "https://page.gym.example", "sec-fetch-site": "same-site"}
    refused = app.post("/api/session", json={"passcode": "wrong horse"}, headers=page)
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://page.gym.example"
    evil = app.post(
        "/api/session", json={"passcode": "correct horse"}, headers={"origin": "https://evil.example"}
    )
    assert evil.status_code == 403
    assert "access-control-allow-origin" not in evil.headers


def test_the_page_s_files(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>page</p>")
    (tmp_path / "app.js").write_text("run()")
    app = client(static=tmp_path)
    assert app.get("/").text == "<p>page</p>"
    assert app.get("/app.js").headers["content-type"].partition(";")[0].endswith("/javascript")
    assert {one["id"] for one in app.get("/data/exercises.json").json()} > {"bench-press", "plank"}
    for path in ("/../secret", "/%2e%2e/secret", "/data", "//evil.example/%2e%2e"):
        assert app.get(path, follow_redirects=False).headers.get("location", "").count("evil") == 0
    tag = app.get("/").headers["etag"]
    assert app.get("/", headers={"if-none-match": tag}).status_code == 304
    assert client(static=tmp_path / "missing").get("/").status_code == 404
