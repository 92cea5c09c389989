"""Drift detection's adapter against botocore's own model of the service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from gymops.aws.drift import Detection, Drift
from gymops.aws.session import AwsError

ID = "arn:aws:cloudformation:us-east-1:111111111111:stack/app/1"
DETECTION = "b78ac9b0-dec1-11e7-a451-503a3example"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def boto() -> Any:
    return boto3.client(
        "cloudformation", region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="x"
    )


@pytest.fixture
def aws(boto: Any) -> Iterator[Stubber]:
    with Stubber(boto) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def told(status: str, **more: str) -> dict[str, Any]:
    return {"StackId": ID, "StackDriftDetectionId": DETECTION, "DetectionStatus": status,
            "Timestamp": NOW, **more}  # fmt: skip


def test_a_detection_is_begun_and_asked_for_until_it_ended(boto: Any, aws: Stubber) -> None:
    drift = Drift(boto)
    asked = {"StackDriftDetectionId": DETECTION}
    aws.add_response("detect_stack_drift", {"StackDriftDetectionId": DETECTION}, {"StackName": "app"})
    assert drift.begin("app") == DETECTION
    status = "describe_stack_drift_detection_status"
    aws.add_response(status, told("DETECTION_IN_PROGRESS"), asked)
    assert drift.ended(DETECTION) is None
    aws.add_response(status, told("DETECTION_COMPLETE", StackDriftStatus="DRIFTED"), asked)
    assert drift.ended(DETECTION) == Detection(complete=True)
    aws.add_response(status, told("DETECTION_FAILED", DetectionStatusReason="no rights"), asked)
    assert drift.ended(DETECTION) == Detection(complete=False, reason="no rights")


def test_every_page_of_what_it_found_is_read(boto: Any, aws: Stubber) -> None:
    def one(name: str, status: str, **more: Any) -> dict[str, Any]:
        return {"StackId": ID, "LogicalResourceId": name, "ResourceType": "AWS::SQS::Queue",
                "StackResourceDriftStatus": status, "Timestamp": NOW, **more}  # fmt: skip

    delay = {"PropertyPath": "/RedrivePolicy/maxReceiveCount", "ExpectedValue": "3", "ActualValue": "9",
             "DifferenceType": "NOT_EQUAL"}  # fmt: skip
    pages = [
        {"StackResourceDrifts": [one("Queue", "MODIFIED", PropertyDifferences=[delay])], "NextToken": "2"},
        {"StackResourceDrifts": [one("Gone", "DELETED", PhysicalResourceId="q-2")]},
    ]
    call = "describe_stack_resource_drifts"
    aws.add_response(call, pages[0], {"StackName": "app"})
    aws.add_response(call, pages[1], {"StackName": "app", "NextToken": "2"})
    modified, deleted = Drift(boto).resources("app")
    (detail,) = modified.details
    assert (modified.name, modified.status) == ("Queue", "MODIFIED")
    assert (detail.name, detail.path) == ("RedrivePolicy", "/Properties/RedrivePolicy/maxReceiveCount")
    assert (detail.before, detail.after) == ("3", "9")
    assert (deleted.name, deleted.status, deleted.physical) == ("Gone", "DELETED", "q-2")


def test_a_stack_that_moves_is_refused_in_aws_s_words(boto: Any, aws: Stubber) -> None:
    aws.add_client_error("detect_stack_drift", "ValidationError", "Stack [app] is in UPDATE_IN_PROGRESS")
    with pytest.raises(AwsError, match=r"the drift of app: Stack .app. is in UPDATE_IN_PROGRESS"):
        Drift(boto).begin("app")
