"""GYMOPS_APP_*: what is read, and what is refused by its name."""

from __future__ import annotations

import re

import pytest

from gymops.app.auth import passcode
from gymops.app.settings import VARIABLES, AppSettings, JwtSettings
from gymops.errors import ConfigError

PASSCODE = {"GYMOPS_APP_PASSCODE": "correct horse", "GYMOPS_APP_SESSION_SECRET": "s" * 32}
TOKEN = {"GYMOPS_APP_JWT_ISSUER": "https://issuer.example/", "GYMOPS_APP_JWT_AUDIENCE": "gym"}


def test_everything_may_be_set() -> None:
    settings = AppSettings.from_environment(
        {
            **PASSCODE,
            **TOKEN,
            "GYMOPS_APP_ENVIRONMENT": "staging",
            "GYMOPS_APP_USER": "anna",
            "GYMOPS_APP_SESSION_SECRET_PREVIOUS": "p" * 32,
            "GYMOPS_APP_SESSION_DAYS": "7",
            "GYMOPS_APP_ORIGINS": "https://A.example/, http://localhost:5173",
            "GYMOPS_APP_API_ORIGIN": "https://api.example",
            "GYMOPS_APP_UNIT": "lb",
            "GYMOPS_APP_VOICE_PER_MINUTE": "9",
            "GYMOPS_APP_LLM_PROVIDER": "anthropic",
            "GYMOPS_APP_LLM_KEY": "k",
            "OTHER": "x",
        }
    )
    assert settings == AppSettings(
        environment="staging",
        user="anna",
        passcode="correct horse",
        session_secret="s" * 32,
        session_secret_previous="p" * 32,
        session_days=7,
        jwt=JwtSettings("https://issuer.example/", "gym", "https://issuer.example/.well-known/jwks.json"),
        origins=("https://a.example", "http://localhost:5173"),
        api_origin="https://api.example",
        unit="lb",
        voice_per_minute=9,
        llm_provider="anthropic",
        llm_key="k",
    )


def test_what_is_not_said_is_the_safe_thing() -> None:
    settings = AppSettings.from_environment(PASSCODE)
    assert settings.production
    assert (settings.origins, settings.api_origin, settings.llm_key) == ((), None, None)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, "keeps them out"),
        ({"GYMOPS_APP_SESSION_SECRET": "s" * 32}, "keeps them out"),
        ({**PASSCODE, "GYMOPS_APP_PASSCODE": "short"}, "PASSCODE is too short"),
        ({**PASSCODE, "GYMOPS_APP_SESSION_SECRET": ""}, "SESSION_SECRET is missing"),
        ({**PASSCODE, "GYMOPS_APP_SESSION_SECRET": "s" * 31}, "SESSION_SECRET is too short"),
        ({**PASSCODE, "GYMOPS_APP_SESSION_SECRET_PREVIOUS": "s"}, "SECRET_PREVIOUS is too short"),
        ({**PASSCODE, "GYMOPS_APP_PASSCODE_HASH": "scrypt$"}, "both set"),
        ({**PASSCODE, "GYMOPS_APP_SESSION_DAYS": "0"}, "SESSION_DAYS"),
        ({**PASSCODE, "GYMOPS_APP_SESSION_DAYS": "x"}, "SESSION_DAYS"),
        ({**PASSCODE, "GYMOPS_APP_VOICE_PER_MINUTE": "-1"}, "VOICE_PER_MINUTE"),
        ({**PASSCODE, "GYMOPS_APP_ORIGINS": "*"}, "no origin"),
        ({**PASSCODE, "GYMOPS_APP_ORIGINS": "https://a.example/path"}, "no origin"),
        ({**PASSCODE, "GYMOPS_APP_ORIGINS": "null"}, "no origin"),
        ({**PASSCODE, "GYMOPS_APP_API_ORIGIN": "https://a.example; script-src *"}, "no origin"),
        ({**PASSCODE, "GYMOPS_APP_UNIT": "stone"}, "UNIT"),
        ({**PASSCODE, "GYMOPS_APP_LLM_KEY": "secret-key"}, "LLM_PROVIDER"),
        ({**PASSCODE, "GYMOPS_APP_LLM_PROVIDER": "other"}, "LLM_PROVIDER"),
        ({"GYMOPS_APP_JWT_ISSUER": "https://issuer.example/"}, "JWT_AUDIENCE is missing"),
        ({"GYMOPS_APP_JWT_AUDIENCE": "gym"}, "JWT_ISSUER is missing"),
        ({**TOKEN, "GYMOPS_APP_JWT_ISSUER": "http://issuer.example/"}, "JWT_ISSUER is no https"),
        ({**TOKEN, "GYMOPS_APP_JWT_JWKS_URL": "file:///etc/passwd"}, "JWKS_URL is no https"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(given: dict[str, str], names: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(names)) as caught:
        AppSettings.from_environment(given)
    assert caught.value.hint
    assert "secret-key" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    ["", "bcrypt$1$2$3$4$5", "scrypt$1$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAA", "scrypt$16384$8$1$?$?", "scrypt",
     "scrypt$1073741824$8$1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 43 + "="],
)  # fmt: skip
def test_what_is_no_hash_of_a_passcode(text: str) -> None:
    with pytest.raises(ConfigError, match="no scrypt hash"):
        passcode.hashed(text)


def test_secrets_are_not_shown() -> None:
    settings = AppSettings.from_environment(
        {**PASSCODE, "GYMOPS_APP_LLM_KEY": "kkkk", "GYMOPS_APP_LLM_PROVIDER": "openai"}
    )
    assert not any(secret in repr(settings) for secret in ("correct horse", "ssss", "kkkk"))


def test_every_variable_is_explained() -> None:
    fields = set(AppSettings.__dataclass_fields__) - {"bind", "jwt"} | {
        "jwt_issuer",
        "jwt_audience",
        "jwt_jwks_url",
    }
    assert {name.removeprefix("GYMOPS_APP_").lower() for name in VARIABLES} == fields
    assert all(VARIABLES.values())
