"""Who is let in, and above all who is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi.routing import APIRoute
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.testclient import TestClient

from gymops.app.auth import passcode
from gymops.app.auth.cookies import NAME, Cookies
from gymops.app.auth.tokens import APART, KEEP, fetch_https
from gymops.app.main import create_app
from gymops.app.routes import ROUTERS, services
from gymops.app.settings import AppSettings, JwtSettings
from gymops.errors import ConfigError
from tests.unit.app.api.doubles import Clock, MemoryStore, client

PASSCODE = "correct horse"
SECRET, OLD = "s" * 32, "o" * 32
ISSUER, AUDIENCE = "https://gym.eu.auth0.example/", "https://api.gym.example"

BY_PASSCODE = AppSettings(environment="local", user="owner", passcode=PASSCODE, session_secret=SECRET)
BY_TOKEN = AppSettings(
    environment="local", jwt=JwtSettings(ISSUER, AUDIENCE, f"{ISSUER}.well-known/jwks.json")
)
PUBLIC = {("GET", "/api/health"), ("GET", "/api/ready"), ("POST", "/api/session"), ("DELETE", "/api/session")}


def _routes() -> list[tuple[str, str]]:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return sorted((method, route.path) for route in routes for method in route.methods or ())


@pytest.mark.parametrize("settings", [BY_PASSCODE, BY_TOKEN], ids=["passcode", "jwt"])
@pytest.mark.parametrize(("method", "path"), sorted(set(_routes()) - PUBLIC))
def test_every_route_is_closed_to_strangers(settings: AppSettings, method: str, path: str) -> None:
    store = MemoryStore()
    store.fails = AssertionError("the store was asked")
    body = {
        "event_type": "WorkoutDiscarded",
        "payload": {"workout_id": "6f1c1f0e-8a68-4f0e-9f6a-1b7c5d0e2f33"},
    }
    body = {"transcript": "undo"} if "voice" in path else body
    address = path.replace("{key}", "current_workout").replace("{workout_id}", "x")
    answer = client(store, settings).request(method, address, json=body if method == "POST" else None)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert answer.headers["www-authenticate"]


def test_a_route_that_forgets_its_user_is_closed_too() -> None:
    router = services.router()

    @router.get("/forgotten")
    def forgotten() -> str:
        return "secret"

    app = create_app(MemoryStore(), BY_PASSCODE, clock=Clock())
    app.include_router(router)
    assert TestClient(app, base_url="https://gym.example").get("/api/forgotten").status_code == 401


def test_all_routes_are_looked_at() -> None:
    assert len(_routes()) > 12
    assert set(_routes()) > PUBLIC


@pytest.mark.parametrize("bind", [None, "0.0.0.0", "::", "192.168.1.7", "gym.example", ""])  # noqa: S104
def test_without_authentication_there_is_no_app_but_on_loopback(bind: str | None) -> None:
    with pytest.raises(ConfigError, match="keeps them out"):
        AppSettings(bind=bind)
    with pytest.raises(ConfigError, match="keeps them out"):
        AppSettings.from_environment({"GYMOPS_APP_PASSCODE": " "}, bind=bind)


@pytest.mark.parametrize("bind", ["127.0.0.1", "::1", "localhost", "127.8.0.1"])
def test_on_loopback_there_is_one_user_without_a_password(bind: str) -> None:
    app = client(settings=AppSettings(environment="local", bind=bind, user="auth0|000001"))
    assert app.get("/api/session").json() == {"user": "auth0|000001", "auth": "none"}


def test_loopback_with_a_passcode_is_closed_too() -> None:
    settings = AppSettings(bind="127.0.0.1", passcode=PASSCODE, session_secret=SECRET)
    assert client(settings=settings).get("/api/history").status_code == 401


# The owner's passcode


def _sign_in(app: TestClient, given: str = PASSCODE) -> Any:
    return app.post("/api/session", json={"passcode": given})


def _cookie(app: TestClient) -> str:
    answer = _sign_in(app)
    assert answer.status_code == 204
    return str(answer.headers["set-cookie"]).partition("=")[2].partition(";")[0]


def _asking(app: TestClient, cookie: str) -> int:
    app.cookies.clear()
    return app.get("/api/history", headers={"cookie": f"{NAME}={cookie}"}).status_code


@pytest.mark.parametrize("stored", [False, True], ids=["plain", "hash"])
def test_the_owner_signs_in_looks_and_signs_out(stored: bool) -> None:
    settings = BY_PASSCODE
    if stored:
        settings = AppSettings(
            user="owner", passcode_hash=passcode.make_hash(PASSCODE), session_secret=SECRET
        )
    app = client(settings=settings)
    assert _sign_in(app, "wrong horse").status_code == 401
    answer = _sign_in(app)
    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert attributes >= {"httponly", "secure", "samesite=strict", "path=/"}
    assert answer.headers["set-cookie"].startswith("__Host-")
    assert app.get("/api/session").json() == {"user": "owner", "auth": "passcode"}
    assert app.delete("/api/session").status_code == 204
    assert app.get("/api/session").status_code == 401


def test_a_cookie_that_was_touched_is_worth_nothing() -> None:
    app = client(settings=BY_PASSCODE)
    cookie = _cookie(app)
    assert _asking(app, cookie) == 200
    version, until, user, signature = cookie.split(".")
    other = base64.urlsafe_b64encode(b"someone").rstrip(b"=").decode()
    for forged in (
        f"{version}.{int(until) + 1}.{user}.{signature}",
        f"{version}.{until}.{other}.{signature}",
        f"{version}.{until}.{user}.{'A' * 43}",
        f"{version}.{until}.{user}.",
        f"{version}.{until}.{user}",
        f"2.{until}.{user}.{signature}",
        "",
        "....",
        cookie[:-1],
    ):
        assert _asking(app, forged) == 401, forged


def test_a_cookie_ends() -> None:
    clock = Clock()
    app = client(settings=BY_PASSCODE, clock=clock)
    cookie = _cookie(app)
    clock.sleep(30 * 86_400 - 1)
    assert _asking(app, cookie) == 200
    clock.sleep(1)
    assert _asking(app, cookie) == 401


def test_a_rotated_secret_keeps_sessions_for_one_rotation_and_renews_them() -> None:
    cookie = _cookie(client(settings=AppSettings(user="owner", passcode=PASSCODE, session_secret=OLD)))
    rotated = client(
        settings=AppSettings(
            user="owner", passcode=PASSCODE, session_secret=SECRET, session_secret_previous=OLD
        )
    )
    assert _asking(rotated, cookie) == 200
    renewed = rotated.get("/api/session", headers={"cookie": f"{NAME}={cookie}"}).headers["set-cookie"]
    fresh = renewed.partition("=")[2].partition(";")[0]
    after = client(settings=BY_PASSCODE)
    assert _asking(after, cookie) == 401
    assert _asking(after, fresh) == 200


def test_a_session_is_renewed_when_it_is_half_over() -> None:
    clock = Clock()
    app = client(settings=BY_PASSCODE, clock=clock)
    cookie = {"cookie": f"{NAME}={_cookie(app)}"}
    assert "set-cookie" not in app.get("/api/session", headers=cookie).headers
    clock.sleep(16 * 86_400)
    assert NAME in app.get("/api/session", headers=cookie).headers["set-cookie"]


def test_a_changed_passcode_ends_every_session() -> None:
    cookie = _cookie(client(settings=BY_PASSCODE))
    changed = AppSettings(user="owner", passcode="another horse", session_secret=SECRET)
    assert _asking(client(settings=changed), cookie) == 401


def test_a_cookie_of_a_former_owner_opens_nothing() -> None:
    cookie = Cookies(BY_PASSCODE, Clock()).make("someone")
    assert _asking(client(settings=BY_PASSCODE), cookie) == 401


def test_passcodes_are_not_tried_without_end() -> None:
    clock = Clock()
    app = client(settings=BY_PASSCODE, clock=clock)
    answers = [_sign_in(app, f"guess {number}") for number in range(20)]
    assert {one.status_code for one in answers} == {401, 429}
    assert _sign_in(app).status_code == 429  # not even the right one
    wait = int(answers[-1].headers["retry-after"])
    assert 1 <= wait <= 60
    clock.sleep(wait)
    assert _sign_in(app).status_code == 204


@pytest.mark.parametrize("given", ["", "x" * 1025, None, 7, "a\0b", ["correct horse"]])
def test_what_is_no_passcode(given: Any) -> None:
    assert client(settings=BY_PASSCODE).post("/api/session", json={"passcode": given}).status_code == 422


def test_where_there_is_no_passcode_there_is_none_to_try() -> None:
    assert _sign_in(client()).status_code == 404


# An issuer's tokens


@cache
def _rsa(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _ec() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class Issuer:
    """Publishes keys and counts how often they are fetched."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys or ["one"])
        self.fetched = 0
        self.down = False

    def fetch(self, url: str) -> bytes:
        assert url == f"{ISSUER}.well-known/jwks.json"
        self.fetched += 1
        if self.down:
            raise OSError("no route to host")
        published = [
            {**RSAAlgorithm.to_jwk(_rsa(name).public_key(), as_dict=True), "kid": name, "use": "sig"}
            for name in self.keys
        ]
        published.append({**ECAlgorithm.to_jwk(_ec().public_key(), as_dict=True), "kid": "curve"})
        secret = base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("=")
        published.append({"kty": "oct", "k": secret, "kid": "shared", "alg": "HS256"})
        return json.dumps({"keys": published}).encode()


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "auth0|000001", "iat": now, "exp": now + 600, **changes}
    return {name: value for name, value in claims.items() if value is not None}


def _token(key: str = "one", kid: str | None = None, **changes: Any) -> str:
    return jwt.encode(_claims(**changes), _rsa(key), algorithm="RS256", headers={"kid": kid or key})


def _raw(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in (header, claims)]
    body = b".".join(parts)
    return (body + b"." + base64.urlsafe_b64encode(sign(body)).rstrip(b"=")).decode()


def _with_token(token: str, *, header: str = "Authorization", issuer: Issuer | None = None) -> Any:
    app = client(settings=BY_TOKEN, fetch=(issuer or Issuer()).fetch)
    return app.get("/api/session", headers={header: f"Bearer {token}"})


@pytest.mark.parametrize("header", ["Authorization", "X-Gymops-Authorization"])
def test_a_token_is_its_subject(header: str) -> None:
    assert _with_token(_token(), header=header).json() == {"user": "auth0|000001", "auth": "jwt"}


def test_a_token_signed_on_a_curve() -> None:
    token = jwt.encode(_claims(), _ec(), algorithm="ES256", headers={"kid": "curve"})
    assert _with_token(token).status_code == 200


def test_our_own_header_wins_over_what_cloudfront_puts_in_the_other() -> None:
    app = client(settings=BY_TOKEN, fetch=Issuer().fetch)
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=x",
        "X-Gymops-Authorization": f"Bearer {_token()}",
    }
    assert app.get("/api/session", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.example"},
        {"aud": None},
        {"iss": "https://evil.example/"},
        {"iss": None},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"sub": 7},
    ],
)
def test_a_token_for_someone_else_or_of_another_time_is_refused(changes: dict[str, Any]) -> None:
    answer = _with_token(_token(**changes))
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("sub", ["", "..", ".", "../other", "a/b", "a\\b", "a\nb", "x" * 201, "ü" * 101])
def test_a_subject_that_could_be_a_path_is_refused(sub: str) -> None:
    assert _with_token(_token(sub=sub)).status_code in (401, 403)


def test_forged_tokens() -> None:
    public = (
        _rsa("one")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    good = _token()
    forged = {
        "no algorithm": _raw({"alg": "none", "kid": "one"}, _claims(), lambda _: b""),
        "public key as secret": _raw(
            {"alg": "HS256", "kid": "one"}, _claims(), lambda b: hmac.digest(public, b, hashlib.sha256)
        ),
        "published secret": _raw(
            {"alg": "HS256", "kid": "shared"}, _claims(), lambda b: hmac.digest(b"k" * 32, b, hashlib.sha256)
        ),
        "another key": _token("mallory", kid="one"),
        "key for another algorithm": _raw({"alg": "ES256", "kid": "one"}, _claims(), lambda _: b"x" * 64),
        "own key in the header": jwt.encode(
            _claims(), _rsa("mallory"), algorithm="RS256",
            headers={"kid": "m", "jwk": RSAAlgorithm.to_jwk(_rsa("mallory").public_key(), as_dict=True)},
        ),
        "changed": good[: good.index(".") + 5] + "x" + good[good.index(".") + 6 :],
        "cut": good.rpartition(".")[0] + ".",
        "nothing": "",
        "noise": "a.b.c",
        "nested": _raw({"alg": "RS256", "x": json.loads("[" * 500 + "]" * 500)}, {}, lambda b: b),
    }  # fmt: skip
    for name, token in forged.items():
        assert _with_token(token).status_code == 401, name


def test_a_bad_token_is_not_made_good_by_a_cookie() -> None:
    both = AppSettings(user="owner", passcode=PASSCODE, session_secret=SECRET, jwt=BY_TOKEN.jwt)
    app = client(settings=both, fetch=Issuer().fetch)
    cookie = _cookie(app)
    assert _asking(app, cookie) == 200
    answer = app.get("/api/history", headers={"cookie": f"{NAME}={cookie}", "authorization": "Bearer x"})
    assert answer.status_code == 401


def test_a_new_key_is_found_and_unknown_ones_do_not_make_us_fetch_without_end() -> None:
    clock, issuer = Clock(), Issuer()
    app = TestClient(
        create_app(MemoryStore(), BY_TOKEN, clock=clock, fetch=issuer.fetch), base_url="https://gym.example"
    )

    def ask(key: str) -> int:
        return app.get("/api/session", headers={"authorization": f"Bearer {_token(key)}"}).status_code

    assert (ask("one"), issuer.fetched) == (200, 1)
    issuer.keys.append("two")
    assert (ask("two"), issuer.fetched) == (401, 1)
    clock.sleep(APART)
    assert (ask("two"), issuer.fetched) == (200, 2)
    assert [ask("mallory") for _ in range(5)] == [401] * 5
    assert issuer.fetched == 2
    clock.sleep(KEEP + 1)
    issuer.down = True
    assert (ask("two"), issuer.fetched) == (200, 3)
    assert (ask("one"), issuer.fetched) == (200, 3)


def test_while_keys_cannot_be_had_nobody_is_let_in() -> None:
    issuer = Issuer()
    issuer.down = True
    answer = _with_token(_token(), issuer=issuer)
    assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": [1]}', b"[" * 100_000])
def test_an_issuer_that_publishes_nonsense_lets_nobody_in(document: bytes) -> None:
    app = client(settings=BY_TOKEN, fetch=lambda _: document)
    assert app.get("/api/session", headers={"authorization": f"Bearer {_token()}"}).status_code == 503


def test_keys_are_fetched_over_https_only() -> None:
    for url in ("http://127.0.0.1/keys", "file:///etc/passwd", "ftp://x/y"):
        with pytest.raises(ValueError, match="only https"):
            fetch_https(url)


class _Keys(BaseHTTPRequestHandler):
    """What an issuer's server may do."""

    def do_GET(self) -> None:
        status, body = {
            "/keys?v=1": (200, b"{}"),
            "/moved": (302, b""),
            "/gone": (404, b"{}"),
            "/large": (200, b" " * 300_000),
        }[self.path]
        self.send_response(status)
        self.send_header("Location", "/keys?v=1")
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def test_what_is_fetched_is_what_lies_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http.client, "HTTPSConnection", http.client.HTTPConnection)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Keys) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"https://127.0.0.1:{server.server_port}"
        assert fetch_https(f"{address}/keys?v=1") == b"{}"
        for path in ("/moved", "/gone"):
            with pytest.raises(OSError, match="answers"):
                fetch_https(address + path)
        with pytest.raises(ValueError, match="more than"):
            fetch_https(f"{address}/large")
        server.shutdown()
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system says
        fetch_https(f"{address}/keys?v=1")


def test_users_never_see_each_other_s_data() -> None:
    store = MemoryStore()
    app = client(store, BY_TOKEN, fetch=Issuer().fetch)
    workout = {"workout_id": "6f1c1f0e-8a68-4f0e-9f6a-1b7c5d0e2f33"}
    anna, ben = ({"authorization": f"Bearer {_token(sub=name)}"} for name in ("anna", "ben"))
    body = {"event_type": "WorkoutStarted", "payload": workout}
    assert app.post("/api/events", json=body, headers=anna).status_code == 201
    for key in ("current_workout", "workout:x", "personal_records:x"):
        store.put(key, {"exercise_id": "anna's"}, "anna")
    assert "anna" in app.get("/api/export", headers=anna).text or store.log["anna"]
    assert app.get("/api/export", headers=ben).text == ""
    assert app.get("/api/projections/current_workout", headers=ben).json()["data"] is None
    assert app.get("/api/projections/personal_records:x", headers=ben).status_code == 404
    assert app.get("/api/history/x", headers=ben).status_code == 404
    assert app.get("/api/records", headers=ben).json()["items"] == []
    assert set(store.log) == {"anna"}
