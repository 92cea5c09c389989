"""Log groups, buckets and vaults as AWS's clients answer: page after page, or not there at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from gymops.aws.account import Account
from gymops.aws.holdings import Holdings
from gymops.aws.logs import Logs
from gymops.aws.session import AwsError

ACCOUNT = Account("us-west-1", endpoint="http://127.0.0.1:9", number="111111111111")
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
START = int(SINCE.timestamp() * 1000)


def stubbed(service: str) -> Stubber:
    return Stubber(ACCOUNT.client(service, "us-west-1"))


def test_an_empty_page_is_not_the_last_one() -> None:
    asked: dict[str, Any] = {"logGroupName": "g", "startTime": START, "filterPattern": '"x"'}
    one = {"timestamp": START + 5, "message": "said\n", "logStreamName": "s", "eventId": "7"}
    with stubbed("logs") as stub:
        stub.add_response("filter_log_events", {"events": [], "nextToken": "a"}, asked)
        stub.add_response(
            "filter_log_events", {"events": [one], "nextToken": "b"}, asked | {"nextToken": "a"}
        )
        stub.add_response("filter_log_events", {"events": []}, asked | {"nextToken": "b"})
        (found,) = Logs(ACCOUNT).lines("g", "us-west-1", SINCE, '"x"')
        stub.assert_no_pending_responses()
    assert (found.text, found.id, found.stream) == ("said", "7", "s")
    assert (found.at - SINCE).total_seconds() == 0.005


def test_a_group_that_nobody_wrote_to_is_empty_and_other_errors_are_told() -> None:
    with stubbed("logs") as stub:
        stub.add_client_error("filter_log_events", "ResourceNotFoundException")
        assert list(Logs(ACCOUNT).lines("g", "us-west-1", SINCE)) == []
        stub.add_client_error("filter_log_events", "AccessDeniedException")
        with pytest.raises(AwsError, match="AccessDenied"):
            list(Logs(ACCOUNT).lines("g", "us-west-1", SINCE))


@pytest.mark.parametrize(
    ("answer", "told"),
    [({}, ""), ({"Versions": [{"Key": "k"}]}, "objects"), ({"DeleteMarkers": [{"Key": "k"}]}, "objects")],
)
def test_former_versions_and_delete_markers_are_in_a_bucket_too(answer: dict[str, Any], told: str) -> None:
    with stubbed("s3") as stub:
        stub.add_response("list_object_versions", answer, {"Bucket": "b", "MaxKeys": 1})
        assert Holdings(ACCOUNT).holds("AWS::S3::Bucket", "b", "us-west-1") == told


def test_a_vault_holds_recovery_points_or_what_we_may_not_see() -> None:
    with stubbed("backup") as stub:
        points = {"RecoveryPoints": [{"RecoveryPointArn": "arn"}]}
        stub.add_response("list_recovery_points_by_backup_vault", points)
        stub.add_client_error("list_recovery_points_by_backup_vault", "AccessDeniedException")
        stub.add_client_error("list_recovery_points_by_backup_vault", "InvalidParameterValueException")
        holds = Holdings(ACCOUNT).holds
        assert holds("AWS::Backup::BackupVault", "v", "us-west-1") == "recovery points"
        assert holds("AWS::Backup::BackupVault", "v", "us-west-1") == "what we may not look into"
        with pytest.raises(AwsError):
            holds("AWS::Backup::BackupVault", "v", "us-west-1")
    assert holds("AWS::SQS::Queue", "q", "us-west-1") == ""
