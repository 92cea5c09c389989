"""Whose credentials: of a profile that is there and the account that was named; here one per environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from gymops.aws.account import Account
from gymops.aws.session import AwsError
from gymops.cli import context
from gymops.config import Environment, Settings
from gymops.deploy.environment import Deployment, resolve
from gymops.errors import ConfigError, LocalError


def prod(home: Path, environment: Environment) -> tuple[Settings, Deployment]:
    settings = Settings(home=home, architecture="titan-trakr", environments={"prod": environment})
    return settings, resolve(settings, "prod")


def test_a_profile_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(AwsError, match="there is no AWS profile 'nobody'") as refused:
        Account("us-west-1", profile="nobody").client("sts")
    assert refused.value.hint == "aws configure --profile nobody"


def test_credentials_of_another_account_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        Account, "identity", lambda _: ("222222222222", "arn:aws:iam::222222222222:user/mara")
    )
    with pytest.raises(ConfigError, match="prod is in account 111111111111, but the credentials are arn"):
        context.account(*prod(tmp_path, Environment(profile="prod", account="111111111111")))
    found = context.account(*prod(tmp_path, Environment(profile="prod", account="222222222222")))
    assert (found.profile, found.local) == ("prod", False)


def test_without_a_profile_the_local_aws_must_run(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="on the local AWS, which does not run") as refused:
        context.account(*prod(tmp_path, Environment()))
    assert refused.value.hint
    assert refused.value.hint.startswith("gymops local up")


def test_every_environment_has_a_local_account_of_its_own() -> None:
    numbers = [context.local_number(name) for name in ("local", "staging", "prod", "pr7", "pr8")]
    assert len(set(numbers)) == len(numbers)
    assert all(len(number) == 12 and number.isdecimal() for number in numbers)
