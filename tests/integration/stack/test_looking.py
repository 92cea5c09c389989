"""Looking at an environment on the local AWS: what was changed by hand is seen, and nothing is written."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from gymops.aws.account import Account
from gymops.aws.drift import Drift
from gymops.cli import context, sites
from gymops.config import Settings
from gymops.deploy.verbs.attach import attach
from gymops.deploy.verbs.drift import drift
from gymops.deploy.verbs.look import diff, of_build, status
from gymops.deploy.verbs.run import foundation
from tests.integration.stack.conftest import Desk, queue, topic
from tests.local_aws import Aws
from tests.unit.deploy.verbs.world import built

_READING = ("Describe", "Get", "List", "Head")


def test_drift_is_what_was_changed_by_hand(desk: Desk) -> None:
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Description": "kept"}}
    desk.deploy(desk.target({"Queue": queue(DelaySeconds=1), "Bell": topic(), "Secret": secret}))
    detector = Drift(desk.boto)

    def look() -> dict[str, Any]:
        ended = detector.ended(detector.begin(desk.name))
        assert ended
        assert ended.complete
        return {one.name: one for one in detector.resources(desk.name)}

    assert {one.status for one in look().values()} == {"IN_SYNC"}
    physical = {one.name: one.physical for one in desk.client.resources(desk.name)}
    desk.aws.client("sqs").set_queue_attributes(
        QueueUrl=physical["Queue"], Attributes={"DelaySeconds": "9"}
    )  # fmt: skip
    desk.aws.client("secretsmanager").update_secret(SecretId=physical["Secret"], Description="taken")
    desk.aws.client("sns").delete_topic(TopicArn=physical["Bell"])
    found = look()
    assert [found[name].status for name in ("Queue", "Secret", "Bell")] == ["MODIFIED", "MODIFIED", "DELETED"]
    (delay,) = found["Queue"].details
    assert (delay.path, delay.before, delay.after) == ("/Properties/DelaySeconds", "1", "9")


def test_looking_writes_nothing(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = f"{uuid.uuid4().int % 10**12:012d}"
    account = Account("us-west-1", endpoint=aws.settings.url, number=number)
    monkeypatch.setattr(context, "account", lambda *_: account)
    site = sites.site(Settings(architecture="titan-trakr"), "staging", yes=True)
    foundation(site, "op-1")
    assert "takes a while" not in capsys.readouterr().err
    called: list[str] = []
    call = BaseClient._make_api_call

    def recorded(self: Any, operation: str, given: dict[str, Any]) -> Any:
        called.append(operation)
        return call(self, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    there = status(site)
    assert [one.status for one in there.stacks] == ["CREATE_COMPLETE", *["does not exist"] * 3]
    assert (there.serving, there.last, there.holder) == (None, None, None)
    found = diff(site, of_build(site, built(tmp_path, "one").artefact), "gymops deploy staging")
    assert [(one.create, one.empty) for one in found.previews] == [(False, True), *[(True, False)] * 3]
    assert attach(site) is None
    assert len(called) > 10
    assert [one for one in called if not one.startswith(_READING)] == []
    assert not drift(site).found
    assert [one for one in called if not one.startswith(_READING)] == ["DetectStackDrift"]
