"""The probes' adapters against botocore's own models of the services."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from gymops.aws.account import Account
from gymops.aws.probes import AcmProbe, EcsProbe, LambdaProbe, RdsProbe

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CERTIFICATE = "arn:aws:acm:us-east-1:111111111111:certificate/1"


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Stubber]]:
    made: dict[str, Any] = {}
    with ExitStack() as stack:
        found: dict[str, Stubber] = {}
        for service in ("lambda", "logs", "acm", "rds", "ecs"):
            made[service] = boto3.client(
                service, region_name="us-east-1", aws_access_key_id="A", aws_secret_access_key="x"
            )
            found[service] = stack.enter_context(Stubber(made[service]))
        monkeypatch.setattr(Account, "client", lambda _, service, __=None: made[service])
        yield found
        for stub in found.values():
            stub.assert_no_pending_responses()


ACCOUNT = Account("us-east-1")


def test_a_function_tells_its_state_with_the_reason(stubs: dict[str, Stubber]) -> None:
    call = "get_function_configuration"
    stubs["lambda"].add_response(
        call, {"State": "Inactive", "StateReasonCode": "ImageDeleted", "StateReason": "gone"}
    )
    assert LambdaProbe(ACCOUNT).state("fn") == "Inactive: ImageDeleted: gone"
    stubs["lambda"].add_response(call, {"State": "Active", "LastUpdateStatus": "Failed"})
    assert LambdaProbe(ACCOUNT).state("fn") == "Failed"
    stubs["lambda"].add_response(call, {"State": "Active", "LastUpdateStatus": "Successful"})
    assert LambdaProbe(ACCOUNT).state("fn") == ""


@pytest.mark.parametrize("name", ["fn", "fn:3", "arn:aws:lambda:us-east-1:111111111111:function:fn:3"])
def test_a_function_s_log_is_found_by_any_of_its_names(stubs: dict[str, Stubber], name: str) -> None:
    events = [{"message": f"line {number}\n"} for number in range(20)]
    asked = {"logGroupName": "/aws/lambda/fn", "startTime": ANY, "filterPattern": ANY}
    stubs["logs"].add_response("filter_log_events", {"events": events}, asked)
    found = list(LambdaProbe(ACCOUNT).log(name, NOW))
    assert found[-1] == "line 19"
    assert len(found) == 8


def test_a_certificate_names_the_records_that_are_missing(stubs: dict[str, Stubber]) -> None:
    def domain(name: str, status: str) -> dict[str, Any]:
        record = {"Name": f"_{name}", "Type": "CNAME", "Value": "_v"}
        return {"DomainName": name, "ValidationStatus": status, "ResourceRecord": record}

    options = [domain("a", "SUCCESS"), domain("b", "PENDING_VALIDATION"), {"DomainName": "c"}]
    stubs["acm"].add_response("describe_certificate", {"Certificate": {"DomainValidationOptions": options}})
    assert list(AcmProbe(ACCOUNT).validations(CERTIFICATE)) == ["_b CNAME _v"]


def test_a_database_tells_what_happened_to_it(stubs: dict[str, Stubber]) -> None:
    for cluster, kind in ((False, "db-instance"), (True, "db-cluster")):
        stubs["rds"].add_response(
            "describe_events",
            {"Events": [{"Message": "storage full", "Date": NOW}]},
            {"SourceIdentifier": "db", "SourceType": kind, "StartTime": ANY},
        )
        assert list(RdsProbe(ACCOUNT).events("db", NOW, cluster=cluster)) == ["12:00:00 storage full"]


def test_a_service_tells_why_its_tasks_stopped(stubs: dict[str, Stubber]) -> None:
    stubs["ecs"].add_response(
        "list_tasks",
        {"taskArns": ["t"]},
        {"cluster": "gym", "serviceName": "app", "desiredStatus": "STOPPED"},
    )
    container = {"name": "web", "exitCode": 1}
    stubs["ecs"].add_response(
        "describe_tasks",
        {"tasks": [{"stoppedReason": "Essential container in task exited", "containers": [container]}]},
        {"cluster": "gym", "tasks": ["t"]},
    )
    found = list(EcsProbe(ACCOUNT).stopped("arn:aws:ecs:us-east-1:111111111111:service/gym/app"))
    assert found == ["task stopped: Essential container in task exited", "container web: exit code 1"]
    stubs["ecs"].add_response("list_tasks", {"taskArns": []})
    assert list(EcsProbe(ACCOUNT).stopped("app")) == []
