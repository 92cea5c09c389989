"""The payload put together from its settings."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gymops.app import container
from gymops.app.container import Container
from gymops.app.secret import filled
from gymops.app.store.postgres import PostgresStore
from gymops.app.store.sqlite import SqliteStore
from gymops.app.voice import Context, Missed, Outcome
from gymops.app.voice import llm as llm_module
from gymops.aws.session import AwsError
from gymops.errors import ConfigError
from tests.unit.app.handler.lines import Client, Clock, written
from tests.unit.clocks import FakeClock

ARN = "arn:aws:secretsmanager:us-west-1:123456789012:secret"
SIGNING = "0123456789abcdef0123456789abcdef"
SETTINGS = {
    "GYMOPS_APP_DATABASE": "postgresql://app:hunter2@127.0.0.1:1/gym",
    "GYMOPS_APP_PASSCODE": "correct horse",
    "GYMOPS_APP_SESSION_SECRET": SIGNING,
}


class Secrets:
    """Secrets by their ARN, and a list of those that were read."""

    def __init__(self, **texts: str) -> None:
        self.texts = {f"{ARN}:{name}": text for name, text in texts.items()}
        self.reads: list[str] = []

    def read(self, arn: str, /) -> str:
        self.reads.append(arn.removeprefix(f"{ARN}:"))
        if arn not in self.texts:
            raise AwsError(f"the secret {arn}: not there", reason="ResourceNotFoundException")
        return self.texts[arn]

    def read_stage(self, arn: str, stage: str, /) -> str | None:
        return self.texts.get(f"{arn}_{stage}")


def build(secrets: Secrets | None = None, /, **settings: str) -> Container:
    return container.build({**SETTINGS, **settings}, clock=Clock(), secrets=secrets or Secrets())


def test_settings_are_filled_from_secrets() -> None:
    given = {
        "GYMOPS_APP_PASSCODE_HASH_ARN": f"{ARN}:hash",
        "GYMOPS_APP_SESSION_SECRET_ARN": f"{ARN}:signing",
        "GYMOPS_APP_UNIT": "lb",
    }
    found = filled(given, Secrets(hash="scrypt$", signing="new", signing_AWSPREVIOUS="old"))
    assert found["GYMOPS_APP_PASSCODE_HASH"] == "scrypt$"
    assert found["GYMOPS_APP_SESSION_SECRET"] == "new"
    assert found["GYMOPS_APP_SESSION_SECRET_PREVIOUS"] == "old"
    assert found["GYMOPS_APP_UNIT"] == "lb"


def test_a_signing_secret_that_was_never_rotated_has_no_previous_value() -> None:
    found = filled({"GYMOPS_APP_SESSION_SECRET_ARN": f"{ARN}:signing"}, Secrets(signing="new"))
    assert "GYMOPS_APP_SESSION_SECRET_PREVIOUS" not in found


def test_a_value_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="GYMOPS_APP_PASSCODE and GYMOPS_APP_PASSCODE_ARN"):
        build(GYMOPS_APP_PASSCODE_ARN=f"{ARN}:x")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"GYMOPS_APP_DATABASE": ""}, "no database is named"),
        ({"GYMOPS_APP_DATABASE_SECRET_ARN": f"{ARN}:db"}, "two databases are named"),
        ({"GYMOPS_APP_PASSCODE": ""}, "nothing is set that keeps them out"),
        ({"GYMOPS_APP_METRICS": "yes"}, "neither on nor off"),
    ],
)
def test_what_is_missing_or_wrong_is_told_before_the_first_request(
    settings: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build(**settings)


def test_a_secret_that_cannot_be_read_is_told_before_the_first_request() -> None:
    with pytest.raises(AwsError, match="not there"):
        build(GYMOPS_APP_PASSCODE="", GYMOPS_APP_PASSCODE_ARN=f"{ARN}:passcode")


def test_the_databases_secret_is_read_when_it_is_first_needed() -> None:
    secrets = Secrets(db="postgresql://app:hunter2@127.0.0.1:1/gym")
    built = build(secrets, GYMOPS_APP_DATABASE="", GYMOPS_APP_DATABASE_SECRET_ARN=f"{ARN}:db")
    assert isinstance(built.store, PostgresStore)
    assert Client(built.app).get("/api/health").status_code == 200
    assert secrets.reads == []
    answer = Client(built.app).get("/api/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert secrets.reads == ["db"]


def test_a_database_that_is_not_there_is_told_without_its_secrets(logged: io.StringIO) -> None:
    cases: list[dict[str, str]] = [
        {},
        {"GYMOPS_APP_DATABASE": "", "GYMOPS_APP_DATABASE_SECRET_ARN": f"{ARN}:db"},
        {"GYMOPS_APP_DATABASE": "", "GYMOPS_APP_DATABASE_SECRET_ARN": f"{ARN}:broken"},
        {"GYMOPS_APP_DATABASE": "", "GYMOPS_APP_DATABASE_SECRET_ARN": f"{ARN}:none"},
    ]
    secrets = Secrets(db="postgresql://app:hunter2@127.0.0.1:1/gym", broken="{hunter2")
    for settings in cases:
        built = build(secrets, **settings)
        answer = Client(built.app).get("/api/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
        assert "hunter2" not in answer.text + logged.getvalue()
        assert ARN not in answer.text


def test_a_file_on_a_volume_is_a_store_too(tmp_path: Path) -> None:
    built = build(GYMOPS_APP_DATABASE=str(tmp_path / "gym.db"))
    assert isinstance(built.store, SqliteStore)
    assert Client(built.app).get("/api/ready").status_code == 200
    built.store.close()


def test_health_has_a_second_address_where_one_is_asked_for(logged: io.StringIO) -> None:
    sent = Client(build(GYMOPS_APP_HEALTH_PATH="/healthz").app)
    assert sent.get("/healthz").json() == sent.get("/api/health").json() == {"status": "ok"}
    assert sent.get("/healthz/more").status_code == 404
    assert [line["route"] for line in written(logged)][:2] == ["/api/health", "/api/health"]


def asks(monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], Outcome]) -> list[str]:
    """Take the model's place; the keys it is asked with."""
    keys: list[str] = []

    def ask(transcript: str, context: Context, *, provider: str, key: str, **_: Any) -> Outcome:
        keys.append(f"{provider} {key}")
        return answer(transcript)

    monkeypatch.setattr(llm_module, "ask", ask)
    return keys


def say(built: Container, transcript: str) -> dict[str, Any]:
    sent = Client(built.app)
    cookie = (
        sent.post("/api/session", json={"passcode": "correct horse"}).headers["set-cookie"].partition(";")[0]
    )
    answer = sent.post("/api/voice/process", json={"transcript": transcript}, headers={"Cookie": cookie})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.text)
    return found


def test_the_models_key_is_read_when_the_grammar_first_misses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = asks(monkeypatch, lambda _: Missed())
    secrets = Secrets(llm="sk-1")
    database = str(tmp_path / "gym.db")
    built = build(
        secrets,
        GYMOPS_APP_DATABASE=database,
        GYMOPS_APP_LLM_PROVIDER="openai",
        GYMOPS_APP_LLM_KEY_ARN=f"{ARN}:llm",
    )
    assert say(built, "start workout")["outcome"] == "logged"
    assert secrets.reads == []
    assert say(built, "flurble the wibble")["outcome"] != "logged"
    assert say(built, "flurble the wibble")["outcome"] != "logged"
    assert (secrets.reads, keys) == (["llm"], ["openai sk-1", "openai sk-1"])
    built.store.close()


def test_without_its_key_the_model_is_not_asked_and_the_app_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, logged: io.StringIO
) -> None:
    keys = asks(monkeypatch, lambda _: Missed())
    built = build(
        GYMOPS_APP_DATABASE=str(tmp_path / "gym.db"),
        GYMOPS_APP_LLM_PROVIDER="openai",
        GYMOPS_APP_LLM_KEY_ARN=f"{ARN}:llm",
    )
    assert say(built, "flurble the wibble")["outcome"] != "logged"
    assert keys == []
    assert "not there" in logged.getvalue()
    built.store.close()


class Rotating:
    """An app whose signing secret and passcode are in a secret, and whoever rotates them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.secrets = Secrets(signing="a" * 32, passcode="correct horse")
        self.client = self.started()

    def started(self) -> Client:
        """A process that begins now."""
        settings = {
            "GYMOPS_APP_DATABASE": SETTINGS["GYMOPS_APP_DATABASE"],
            "GYMOPS_APP_PASSCODE_ARN": f"{ARN}:passcode",
            "GYMOPS_APP_SESSION_SECRET_ARN": f"{ARN}:signing",
        }
        return Client(container.build(settings, clock=self.clock, secrets=self.secrets).app)

    def staged(self, **texts: str) -> None:
        self.secrets.texts |= {f"{ARN}:{name}": text for name, text in texts.items()}

    def promoted(self) -> None:
        texts = self.secrets.texts
        texts[f"{ARN}:signing_AWSPREVIOUS"] = texts[f"{ARN}:signing"]
        texts[f"{ARN}:signing"] = texts[f"{ARN}:signing_AWSPENDING"]


def signed_in(client: Client, passcode: str = "correct horse") -> str:
    answer = client.post("/api/session", json={"passcode": passcode})
    assert answer.status_code == 204
    return answer.headers["set-cookie"].partition(";")[0]


def asked(client: Client, cookie: str) -> int:
    return client.get("/api/session", headers={"cookie": cookie}).status_code


def test_a_rotation_is_taken_up_by_processes_that_run_and_no_session_ends() -> None:
    """The old process does not know yet that the new value signs, and accepts what another signed with it."""
    rotating = Rotating()
    old = rotating.client
    before = signed_in(old)
    rotating.staged(signing_AWSPENDING="b" * 32)
    rotating.clock.sleep(60)
    assert asked(old, before) == 200
    rotating.promoted()
    started = rotating.started()
    fresh = signed_in(started)
    assert [asked(one, cookie) for one in (old, started) for cookie in (before, fresh)] == [200] * 4
    assert "set-cookie" not in old.get("/api/session", headers={"cookie": fresh}).headers
    rotating.clock.sleep(60)
    assert "set-cookie" in old.get("/api/session", headers={"cookie": before}).headers
    rotating.staged(signing_AWSPENDING="c" * 32)
    rotating.promoted()
    rotating.clock.sleep(60)
    assert (asked(old, before), asked(old, fresh)) == (401, 200)


def test_secrets_are_not_read_for_each_request() -> None:
    rotating = Rotating()
    cookie = signed_in(rotating.client)
    reads = len(rotating.secrets.reads)
    for _ in range(59):
        assert asked(rotating.client, cookie) == 200
        rotating.clock.sleep(1)
    assert len(rotating.secrets.reads) == reads
    rotating.clock.sleep(1)
    assert asked(rotating.client, cookie) == 200
    assert len(rotating.secrets.reads) == 2 * reads


def test_secrets_that_cannot_be_read_again_go_on_as_they_were(logged: io.StringIO) -> None:
    rotating = Rotating()
    cookie = signed_in(rotating.client)
    held, rotating.secrets.texts = rotating.secrets.texts, {}
    rotating.clock.sleep(61)
    assert asked(rotating.client, cookie) == 200
    assert "the old ones go on" in logged.getvalue()
    rotating.secrets.texts = held
    rotating.staged(passcode="another horse")
    rotating.clock.sleep(61)
    assert asked(rotating.client, cookie) == 401
    assert asked(rotating.client, signed_in(rotating.client, "another horse")) == 200


def test_a_pending_value_that_cannot_be_used_makes_it_not_ready_and_does_no_harm(tmp_path: Path) -> None:
    rotating = Rotating()
    settings = {"GYMOPS_APP_DATABASE": str(tmp_path / "gym.db"), "GYMOPS_APP_SECRET_SECONDS": "5"}
    settings |= {
        "GYMOPS_APP_PASSCODE_ARN": f"{ARN}:passcode",
        "GYMOPS_APP_SESSION_SECRET_ARN": f"{ARN}:signing",
    }
    built = container.build(settings, clock=rotating.clock, secrets=rotating.secrets)
    sent = Client(built.app)
    assert sent.get("/api/ready").status_code == 200
    rotating.staged(passcode_AWSPENDING="s3cret")
    rotating.clock.sleep(5)
    answer = sent.get("/api/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "GYMOPS_APP_PASSCODE is too short" in answer.text
    assert "s3cret" not in answer.text
    assert asked(sent, signed_in(sent)) == 200
    built.store.close()


@pytest.mark.parametrize("text", ["0", "-1", "x", "3601", "1.5"])
def test_how_old_a_secret_may_get_is_a_number_of_seconds(text: str) -> None:
    with pytest.raises(ConfigError, match="GYMOPS_APP_SECRET_SECONDS"):
        build(GYMOPS_APP_SECRET_SECONDS=text)
