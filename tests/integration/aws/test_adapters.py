"""Versions, aliases and traffic on functions that run; snapshots and alarms that are there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from gymops.aws.account import Account
from gymops.aws.alarms import Alarms
from gymops.aws.bucket import Bucket
from gymops.aws.functions import Alias, Functions
from gymops.aws.instances import Instances
from gymops.aws.session import AwsError
from gymops.clock import SystemClock
from gymops.deploy import smoke
from gymops.deploy.traffic import Returned, Shape, Watched, move
from tests.integration.local.functions import deploy, package
from tests.local_aws import Aws, unique, until

GOOD = "def handler(event, context): return {'statusCode': 200, 'body': 'GOOD'}"
BROKEN = "def handler(event, context): raise RuntimeError('broken')"
SLOW = "import time\ndef handler(event, context): time.sleep(0.6); return {'statusCode': 200, 'body': ''}"


@pytest.fixture
def functions(account: Account) -> Functions:
    return Functions(account)


class Live:
    """The alias ``live``, as the traffic's port has it."""

    def __init__(self, functions: Functions, name: str) -> None:
        self.functions = functions
        self.name = name

    def now(self) -> str:
        return self.functions.alias(self.name, "live").version

    def split(self, version: str, other: str, share: float) -> None:
        self.functions.point(self.name, "live", Alias(version, {other: share}))

    def point(self, version: str) -> None:
        self.functions.point(self.name, "live", Alias(version))

    def ask(self) -> Sequence[smoke.Asked]:
        return smoke.ask_all(lambda event: self.functions.invoke(self.name, event, "live"), ["/"] * 8)


def released(aws: Aws, functions: Functions, *sources: str) -> tuple[str, list[str]]:
    """A function with a version of each source, the first of them live."""
    name, lambdas = deploy(aws, sources[0]), aws.client("lambda")
    versions = []
    for source in sources:
        lambdas.update_function_code(FunctionName=name, ZipFile=package({"main.py": source}))
        versions.append(functions.publish(name, functions.version(name).code))
    lambdas.create_alias(FunctionName=name, Name="live", FunctionVersion=versions[0])
    return name, versions


def test_a_version_is_published_once_and_runs_what_was_said(aws: Aws, functions: Functions) -> None:
    name, (first, second) = released(aws, functions, GOOD, GOOD.replace("GOOD", "BETTER"))
    code = functions.version(name).code
    assert functions.publish(name, code) == second != first
    assert functions.version(name, second).code == code != functions.version(name, first).code
    with pytest.raises(AwsError):
        functions.publish(name, functions.version(name, first).code)
    called = functions.invoke(name, smoke.request("/"), first)
    assert (called.version, called.failed, called.answer["body"]) == (first, False, "GOOD")


def test_an_alias_is_not_pointed_over_somebody_else_s_change(aws: Aws, functions: Functions) -> None:
    name, (first, second) = released(aws, functions, GOOD, GOOD.replace("GOOD", "BETTER"))
    seen = functions.alias(name, "live")
    functions.point(name, "live", Alias(second))
    with pytest.raises(AwsError) as refused:
        functions.point(name, "live", Alias(first, revision=seen.revision))
    assert refused.value.reason == "PreconditionFailedException"
    assert functions.alias(name, "live").version == second


def test_a_version_that_fails_is_refused_before_any_traffic(aws: Aws, functions: Functions) -> None:
    name, (_, second) = released(aws, functions, GOOD, BROKEN)
    asked = smoke.ask_all(lambda event: functions.invoke(name, event, second), ["/api/health"])
    with pytest.raises(
        smoke.SmokeFailed, match=f"version {second}: /api/health did not answer: RuntimeError"
    ):
        smoke.refuse(asked, "staging")


@pytest.mark.long
def test_traffic_moves_and_comes_back_from_a_slow_version(aws: Aws, functions: Functions) -> None:
    name, (first, second, third) = released(aws, functions, GOOD, GOOD.replace("GOOD", "BETTER"), SLOW)
    live, watched = Live(functions, name), Watched()
    shape = Shape.parse("Canary50Percent1Second")
    told = list(
        move(
            live, second, shape, ask=live.ask, alarms=list, clock=SystemClock(), every=0.1,
            watched=watched,
        )
    )  # fmt: skip
    assert told == [f"50% of the requests go to version {second}", f"version {second} serves"]
    assert {first, second} == set(watched.seconds)
    assert functions.alias(name, "live").others == {}

    with pytest.raises(Returned, match=f"version {third} takes .*; version {second} serves again"):
        list(
            move(
                live, third, Shape.parse("Canary50Percent60Seconds"), ask=live.ask, alarms=list,
                clock=SystemClock(), every=0.1,
            )
        )  # fmt: skip
    assert functions.alias(name, "live").version == second
    assert functions.alias(name, "live").others == {}


def test_a_snapshot_is_taken_once(aws: Aws, account: Account) -> None:
    instances, instance, name = Instances(account), aws.create_instance(), unique("before")
    until(lambda: aws.instance(instance)["DBInstanceStatus"] == "available")
    first = instances.snapshot(instance, name)
    assert instances.snapshot(instance, name).arn == first.arn
    assert until(lambda: instances.find(name).ready)
    with pytest.raises(AwsError, match="the snapshot nowhere"):
        instances.find("nowhere")


def test_alarms_that_ring_are_named(aws: Aws, account: Account) -> None:
    cloudwatch, prefix = aws.client("cloudwatch"), unique("alarm")
    for name in ("quiet", "loud"):
        cloudwatch.put_metric_alarm(
            AlarmName=f"{prefix}-{name}", Namespace="Tests", MetricName="Any", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName=f"{prefix}-loud", StateValue="ALARM", StateReason="a test")
    assert Alarms(account, prefix).ringing() == [f"{prefix}-loud"]
    assert Alarms(account, f"{prefix}-q").ringing() == []


def test_a_file_is_stored_once_under_its_digest(aws: Aws, account: Account, tmp_path: Path) -> None:
    aws.client("s3").create_bucket(Bucket=(name := unique("files")))
    bucket, file = Bucket(account, name), tmp_path / "app.zip"
    file.write_bytes(b"content")
    digest = f"sha256:{hashlib.sha256(b'content').hexdigest()}"
    assert bucket.put("a/b.zip", file, digest)
    assert not bucket.put("a/b.zip", file, digest)
    assert bucket.get("a/b.zip", digest) == b"content"
    assert bucket.url("a/b.zip") == f"{aws.settings.url}/{name}/a/b.zip"
    assert (bucket.has("a/b.zip"), bucket.has("a/c.zip")) == (True, False)
    with pytest.raises(AwsError, match="NoSuchKey"):
        bucket.get("a/c.zip", digest)


def test_what_is_not_its_digest_is_neither_stored_nor_taken(aws: Aws, account: Account) -> None:
    aws.client("s3").create_bucket(Bucket=(name := unique("files")))
    bucket, digest = Bucket(account, name), f"sha256:{hashlib.sha256(b'content').hexdigest()}"
    aws.client("s3").put_object(Bucket=name, Key="a", Body=b"other")
    with pytest.raises(AwsError, match="holds other content"):
        bucket.get("a", digest)
    with pytest.raises(AwsError):
        bucket.put("b", b"other", digest)
