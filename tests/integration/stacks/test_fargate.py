"""productivity-fargate in use: who is answered, what tasks are told, a secret that is renewed."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.stacks.environment import Environment
from tests.local_aws import until

pytestmark = pytest.mark.long

Make = Callable[[str, str], Environment]


def test_the_app_answers_through_cloudfront_only_and_its_secret_is_renewed(make: Make) -> None:
    env = make("staging", "productivity-fargate")
    assert asked(env, "somebody else")[0] == 403
    status, found = asked(env)
    assert (status, found["APP_ENVIRONMENT"]) == (200, "staging")
    outputs = env.outputs["app"]
    where = f"postgresql://{outputs['DatabaseHost']}:{outputs['DatabasePort']}/productivity?sslmode=require"
    assert (found["DATABASE_URL"], found["DATABASE_SECRET_ARN"]) == (where, outputs["DatabaseSecretArn"])
    first = found["sessions"]
    assert first[1] == first[2] == digest("")

    second = renewed(env)
    assert second[:2] == first[:2]
    third = renewed(env)
    assert third[:2] == [second[2], second[0]]
    assert third[2] not in second


def renewed(env: Environment) -> list[str]:
    """The secret is renewed, and tasks come that have it."""
    secret, secrets = env.outputs["app"]["SessionSecretArn"], env.client("secretsmanager")
    before = secrets.get_secret_value(SecretId=secret)["VersionId"]
    secrets.rotate_secret(SecretId=secret)
    until(lambda: secrets.get_secret_value(SecretId=secret)["VersionId"] != before)
    held = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])
    wanted = [digest(held[name]) for name in ("current", "previous", "next")]
    until(lambda: asked(env)[1].get("sessions") == wanted)
    return wanted


def asked(env: Environment, says: str = "") -> tuple[int, Any]:
    """The health path, as CloudFront asks for it."""
    if not says:
        secret = env.outputs["app"]["OriginSecretArn"]
        says = env.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    url = f"http://{env.outputs['app']['LoadBalancerAddress']}/api/health"
    request = urllib.request.Request(url, headers={"X-Origin-Verify": says})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, {}


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
