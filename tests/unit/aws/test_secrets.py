"""Secrets, against botocore's own model of the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from gymops.aws import secrets
from gymops.aws.secrets import Reference
from gymops.aws.session import AwsError, client, translated
from gymops.errors import ConfigError

ARN = "arn:aws:secretsmanager:us-west-1:123456789012:secret:prod/titan-trakr-AbCdEf"


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """The service's answers; each test says what is asked of it, in order."""
    made = boto3.client(
        "secretsmanager", region_name="us-west-1", aws_access_key_id="AKIA", aws_secret_access_key="x"
    )
    monkeypatch.setattr(secrets, "_manager", lambda _: made)
    with Stubber(made) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def answers(manager: Stubber, text: str, **asked: str) -> None:
    manager.add_response(
        "get_secret_value",
        {"ARN": ARN, "Name": "prod/titan-trakr", "SecretString": text},
        {"SecretId": ARN, **asked},
    )


def test_a_secret_is_read_whole(manager: Stubber) -> None:
    answers(manager, "postgresql://app@db/gym")
    assert secrets.read(ARN) == "postgresql://app@db/gym"


def test_one_value_of_a_json_secret_is_named_as_in_a_task_definition(manager: Stubber) -> None:
    answers(manager, '{"signing": "key", "other": "x"}')
    assert secrets.read(f"{ARN}:signing::") == "key"


def test_a_secret_that_rds_manages_is_named_with_an_exclamation_mark() -> None:
    arn = "arn:aws:secretsmanager:us-west-1:123456789012:secret:rds!db-0b6d0a3f-6d7a-4f8e-9a54-AbCdEf"
    assert Reference.parse(f"{arn}:password::") == Reference(arn, "us-west-1", "password")


def test_a_version_stage_and_a_version_are_passed_on(manager: Stubber) -> None:
    answers(manager, "old", VersionStage="AWSPREVIOUS")
    answers(manager, "that", VersionId="0b6d0a3f-6d7a-4f8e-9a54-1f1f0c1e1d10")
    assert secrets.read(f"{ARN}::AWSPREVIOUS:") == "old"
    assert secrets.read(f"{ARN}:::0b6d0a3f-6d7a-4f8e-9a54-1f1f0c1e1d10") == "that"


def test_a_secret_that_was_never_rotated_has_no_previous_text(manager: Stubber) -> None:
    answers(manager, "before", VersionStage="AWSPREVIOUS")
    manager.add_client_error("get_secret_value", "ResourceNotFoundException", "no such stage")
    manager.add_client_error("get_secret_value", "AccessDeniedException", "not allowed")
    assert secrets.read_stage(ARN, "AWSPREVIOUS") == "before"
    assert secrets.read_stage(ARN, "AWSPREVIOUS") is None
    with pytest.raises(AwsError):
        secrets.read_stage(ARN, "AWSPREVIOUS")


@pytest.mark.parametrize("text", ['{"other": "s3cret"}', '{"signing": 5}', "s3cret", "[]"])
def test_a_key_that_is_not_there_is_told_without_the_secret(manager: Stubber, text: str) -> None:
    answers(manager, text)
    with pytest.raises(ConfigError, match="has no text under 'signing'") as told:
        secrets.read(f"{ARN}:signing::")
    assert "s3cret" not in str(told.value)


def test_a_binary_secret_is_refused(manager: Stubber) -> None:
    manager.add_response("get_secret_value", {"ARN": ARN, "SecretBinary": b"\0"}, {"SecretId": ARN})
    with pytest.raises(ConfigError, match="is binary"):
        secrets.read(ARN)


def test_a_refusal_names_the_secret_the_reason_and_what_to_do(manager: Stubber) -> None:
    manager.add_client_error("get_secret_value", "AccessDeniedException", "not authorized to perform")
    with pytest.raises(AwsError, match="prod/titan-trakr") as told:
        secrets.read(ARN)
    assert told.value.reason == "AccessDeniedException"
    assert told.value.hint == "the role's policy must allow this action on this resource"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "arn:aws:s3:::bucket",
        f"{ARN}:key",
        "arn:aws:secretsmanager:us-west-1:1:secret:x",
        f"{ARN}\n",
    ],
)
def test_what_is_no_arn_of_a_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as told:
        Reference.parse(text)
    assert not text or text not in str(told.value)


def test_other_partitions_have_secrets_too() -> None:
    reference = Reference.parse(ARN.replace("arn:aws:", "arn:aws-us-gov:"))
    assert (reference.region, reference.key) == ("us-west-1", "")


def test_a_service_without_a_route_is_told_with_the_usual_cause() -> None:
    with pytest.raises(AwsError, match="does not answer") as told, translated("it"):
        raise ConnectTimeoutError(endpoint_url="https://secretsmanager.us-west-1.amazonaws.com")
    assert "interface endpoint" in (told.value.hint or "")


def test_a_client_gives_up_before_a_lambda_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    config: Any = client("secretsmanager", region="us-west-1").meta.config
    assert (config.connect_timeout, config.read_timeout) == (3.0, 3.0)
    assert config.retries["total_max_attempts"] == 2


def test_no_region_is_our_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(AwsError) as told:
        client("secretsmanager")
    assert told.value.reason == "NoRegionError"
