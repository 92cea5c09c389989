"""The clients that only read: against moto where it has the service, else against botocore's own models."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from gymops.aws.account import Account
from gymops.aws.domains import Domains, Holder
from gymops.aws.engines import Engine, Engines
from gymops.aws.iam import Iam
from gymops.aws.identity import Identity
from gymops.aws.quotas import Quotas, Usage
from gymops.aws.session import AwsError

ACCOUNT = Account("us-east-1")
ROLE = "arn:aws:iam::123456789012:role/deployer"


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        monkeypatch.setattr(Account, "client", lambda _, service, region=None, **__: _client(service, region))
        yield


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Answers to one service, in the order they are asked for."""
    made: dict[str, Stubber] = {}

    def add(service: str, call: str, answer: Any, **asked: Any) -> None:
        if service not in made:
            made[service] = Stubber(_client(service, None))
            made[service].activate()
        if isinstance(answer, str):
            made[service].add_client_error(call, answer, "because", 403, expected_params=asked or None)
        else:
            made[service].add_response(call, answer, asked or None)

    monkeypatch.setattr(Account, "client", lambda _, service, __=None, **___: made[service].client)
    yield add
    for one in made.values():
        one.assert_no_pending_responses()


def _client(service: str, region: str | None) -> Any:
    return boto3.client(
        service, region_name=region or "us-east-1", aws_access_key_id="A", aws_secret_access_key="x"
    )


def test_who_calls_and_what_time_aws_says_it_is(stub: Any) -> None:
    stub(
        "sts", "get_caller_identity", {"Account": "1", "Arn": "arn:aws:iam::123456789012:root", "UserId": "1"}
    )
    found = Identity(ACCOUNT).caller()
    assert (found.account, found.root, found.expires, found.temporary) == ("1", True, None, False)
    assert not found.renewed
    head = {"HTTPHeaders": {"date": "Sat, 21 Nov 2026 12:00:00 GMT"}}
    stub("sts", "get_caller_identity", {"Account": "1", "ResponseMetadata": head})
    assert Identity(ACCOUNT).now() == datetime(2026, 11, 21, 12, tzinfo=UTC)
    stub("sts", "get_caller_identity", "ExpiredToken")
    with pytest.raises(AwsError, match="credentials: because"):
        Identity(ACCOUNT).caller()


@pytest.mark.parametrize("ends", ["", "2126-11-21T13:00:00Z"])
def test_a_session_out_of_the_environment_ends_and_is_not_renewed(
    monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    if ends:
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", ends)
    boto = boto3.session.Session().client("sts", region_name="us-east-1")
    monkeypatch.setattr(Account, "client", lambda *_, **__: boto)
    with Stubber(boto) as stubber:
        stubber.add_response("get_caller_identity", {"Account": "1", "Arn": "arn:aws:iam::1:user/mara"})
        found = Identity(ACCOUNT).caller()
    assert (found.temporary, found.renewed) == (True, False)
    assert found.expires == (datetime(2126, 11, 21, 13, tzinfo=UTC) if ends else None)


def test_a_clock_that_is_wrong_is_told_by_the_refusal_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    class Refusing:
        def get_caller_identity(self) -> None:
            head = {"HTTPHeaders": {"date": "Sat, 21 Nov 2026 12:00:00 GMT"}}
            raise ClientError({"Error": {"Code": "SignatureDoesNotMatch"}, "ResponseMetadata": head}, "x")

    monkeypatch.setattr(Account, "client", lambda *_, **__: Refusing())
    assert Identity(ACCOUNT).now() == datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_a_role_is_found_with_its_path(moto: None) -> None:
    boto = _client("iam", None)
    boto.create_role(RoleName="deployer", Path="/ci/", AssumeRolePolicyDocument="{}")
    assert Iam(ACCOUNT).role("deployer") == "arn:aws:iam::123456789012:role/ci/deployer"
    assert Iam(ACCOUNT).role("nobody") is None


def test_what_is_denied_is_asked_in_batches_and_allowed_on_one_resource_is_allowed(stub: Any) -> None:
    actions = [f"lambda:Do{number}" for number in range(150)]

    def told(action: str, decision: str, *single: str) -> dict[str, Any]:
        return {
            "EvalActionName": action, "EvalResourceName": "*", "EvalDecision": decision,
            "MatchedStatements": [], "MissingContextValues": [],
            "ResourceSpecificResults": [
                {"EvalResourceName": "r", "EvalResourceDecision": one} for one in single
            ],
        }  # fmt: skip

    asked = {
        "PolicySourceArn": ROLE, "ResourceArns": ["*"],
        "ContextEntries": [
            {"ContextKeyName": "aws:RequestedRegion", "ContextKeyValues": ["us-east-1"],
             "ContextKeyType": "string"}
        ],
    }  # fmt: skip
    call = "simulate_principal_policy"
    first = [
        told("lambda:Do0", "implicitDeny"),
        told("lambda:Do1", "implicitDeny", "allowed", "implicitDeny"),
    ]
    stub("iam", call, {"EvaluationResults": first, "IsTruncated": True, "Marker": "m"},
         ActionNames=actions[:100], **asked)  # fmt: skip
    stub("iam", call, {"EvaluationResults": [told("lambda:Do2", "explicitDeny")], "IsTruncated": False},
         ActionNames=actions[:100], Marker="m", **asked)  # fmt: skip
    stub("iam", call, {"EvaluationResults": [told("lambda:Do100", "allowed")], "IsTruncated": False},
         ActionNames=actions[100:], **asked)  # fmt: skip
    found = Iam(ACCOUNT).denied(ROLE, actions, ["*"], {"aws:RequestedRegion": "us-east-1"})
    assert list(found) == ["lambda:Do0", "lambda:Do2"]
    stub("iam", call, "AccessDenied")
    with pytest.raises(AwsError) as refused:
        list(Iam(ACCOUNT).denied(ROLE, ["lambda:Do0"], ["*"], {}))
    assert refused.value.reason == "AccessDenied"


def test_what_there_is_of_a_quota_is_counted(moto: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quotas, "_limit", lambda *_: 50)  # moto knows of hardly any
    _client("s3", None).create_bucket(Bucket="one")
    quotas = Quotas(ACCOUNT)
    assert quotas.usage("AWS::S3::Bucket", "us-east-1") == Usage(1, 50, "s3 L-DC2B2D3D")
    for kind in ("AWS::IAM::Role", "AWS::CertificateManager::Certificate"):
        assert quotas.usage(kind, "us-east-1").used == 0, kind


@pytest.mark.parametrize(
    ("kind", "service", "call", "answer"),
    [
        ("AWS::CloudFormation::Stack", "cloudformation", "describe_stacks", {"Stacks": []}),
        ("AWS::EC2::EIP", "ec2", "describe_addresses", {"Addresses": [{}]}),
        ("AWS::EC2::InternetGateway", "ec2", "describe_internet_gateways", {"InternetGateways": []}),
        ("AWS::RDS::DBInstance", "rds", "describe_db_instances", {"DBInstances": [{}, {}]}),
        ("AWS::RDS::DBProxy", "rds", "describe_db_proxies", {"DBProxies": [{}]}),
    ],
)
def test_what_moto_has_not_is_counted_too(stub: Any, kind: str, service: str, call: str, answer: Any) -> None:
    stub(service, call, answer)
    stub("service-quotas", "get_service_quota", {"Quota": {"Value": 40.0}})
    assert Quotas(ACCOUNT).usage(kind, "us-east-1").used == len(next(iter(answer.values())))


def test_a_quota_is_the_account_s_own_or_else_the_usual_one(stub: Any) -> None:
    asked = {"ServiceCode": "vpc", "QuotaCode": "L-F678F1CE"}
    empty: dict[str, Any] = {"Vpcs": []}
    stub("ec2", "describe_vpcs", empty)
    stub("service-quotas", "get_service_quota", {"Quota": {"Value": 9.0}}, **asked)
    assert Quotas(ACCOUNT).usage("AWS::EC2::VPC", "us-east-1").limit == 9
    stub("ec2", "describe_vpcs", empty)
    stub("service-quotas", "get_service_quota", "NoSuchResourceException", **asked)
    stub("service-quotas", "get_aws_default_service_quota", {"Quota": {"Value": 5.0}}, **asked)
    assert Quotas(ACCOUNT).usage("AWS::EC2::VPC", "us-east-1") == Usage(0, 5, "vpc L-F678F1CE")
    stub("ec2", "describe_vpcs", "UnauthorizedOperation")
    with pytest.raises(AwsError, match="ec2 describe-vpcs: because"):
        Quotas(ACCOUNT).usage("AWS::EC2::VPC", "us-east-1")


def test_lambda_tells_how_many_may_run_at_once(stub: Any) -> None:
    limits = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}
    stub("lambda", "get_account_settings", {"AccountLimit": limits})
    assert Quotas(ACCOUNT).concurrency("us-east-1") == Usage(100, 1000, "lambda L-B99A9384")


def test_route_53_tells_its_own(stub: Any) -> None:
    answer = {"Limit": {"Type": "MAX_HOSTED_ZONES_BY_OWNER", "Value": 500}, "Count": 3}
    stub("route53", "get_account_limit", answer, Type="MAX_HOSTED_ZONES_BY_OWNER")
    assert Quotas(ACCOUNT).usage("AWS::Route53::HostedZone", "us-west-1").used == 3


def test_a_zone_is_found_by_its_id_and_by_a_name_in_it(moto: None) -> None:
    boto = _client("route53", None)
    made = boto.create_hosted_zone(Name="Titantrakr.com.", CallerReference="1")["HostedZone"]["Id"]
    domains = Domains(ACCOUNT)
    zone = domains.zone(made.rpartition("/")[2])
    assert zone
    assert zone.name == "titantrakr.com"
    assert len(zone.servers) == 4
    assert not any(one.endswith(".") for one in zone.servers)
    assert domains.zone_of("www.titantrakr.com") == domains.zone_of("*.titantrakr.com")
    assert (domains.zone("ZNONE"), domains.zone_of("www.else.com")) == (None, None)


def test_aliases_of_this_account_and_of_others(stub: Any) -> None:
    def page(**more: Any) -> dict[str, Any]:
        return {"DistributionList": {"Marker": "", "MaxItems": 9, "Quantity": 1, **more}}

    stub("cloudfront", "list_distributions", page(IsTruncated=True, NextMarker="m"))
    stub("cloudfront", "list_distributions", page(IsTruncated=False), Marker="m")
    assert Domains(ACCOUNT).distributions() == []
    row = {"Alias": "a.com", "DistributionId": "****ABCDE", "AccountId": "******112233"}
    answer = {"ConflictingAliasesList": {"MaxItems": 9, "Quantity": 1, "Items": [row]}}
    stub("cloudfront", "list_conflicting_aliases", answer, DistributionId="EOURS", Alias="a.com")
    assert Domains(ACCOUNT).conflicts("EOURS", "a.com") == [Holder("****ABCDE", "******112233", "a.com")]


def test_a_distribution_s_aliases(moto: None) -> None:
    origin = {"Id": "o", "DomainName": "a.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    config = {
        "CallerReference": "1", "Comment": "", "Enabled": True,
        "Aliases": {"Quantity": 1, "Items": ["a.com"]}, "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
    }  # fmt: skip
    made = _client("cloudfront", None).create_distribution(DistributionConfig=config)["Distribution"]["Id"]
    assert Domains(ACCOUNT).distributions() == [Holder(made, "", "a.com")]


def test_a_certificate_with_its_records(moto: None) -> None:
    boto = _client("acm", None)
    arn = boto.request_certificate(
        DomainName="a.com", SubjectAlternativeNames=["www.a.com"], ValidationMethod="DNS"
    )["CertificateArn"]
    found = Domains(ACCOUNT).certificate(arn)
    assert found
    assert (found.arn, found.names) == (arn, ("a.com", "www.a.com"))
    assert {one.domain for one in found.records} == {"a.com", "www.a.com"}
    assert all(one.value.endswith("acm-validations.aws.") for one in found.records)
    assert Domains(ACCOUNT).certificate(arn[:-4] + "0000") is None


def test_a_database_version_and_the_end_of_its_support(stub: Any) -> None:
    row = {"EngineVersion": "17.6", "Status": "available", "MajorEngineVersion": "17"}
    old = {"EngineVersion": "17.1", "Status": "deprecated", "MajorEngineVersion": "17"}
    ends = datetime(2030, 2, 28, tzinfo=UTC)
    life = {"LifecycleSupportName": "open-source-rds-standard-support", "LifecycleSupportStartDate": ends,
            "LifecycleSupportEndDate": ends}  # fmt: skip
    longer = {**life, "LifecycleSupportName": "open-source-rds-extended-support"}
    major = {"DBMajorEngineVersions": [{"Engine": "postgres", "SupportedEngineLifecycles": [longer, life]}]}
    stub("rds", "describe_db_engine_versions", {"DBEngineVersions": [old, row]})
    stub("rds", "describe_db_major_engine_versions", major, Engine="postgres", MajorEngineVersion="17")
    assert Engines(ACCOUNT, "us-east-1").engine("postgres", "17") == Engine("17.6", "available", ends)
    stub("rds", "describe_db_engine_versions", {"DBEngineVersions": []})
    assert Engines(ACCOUNT, "us-east-1").engine("postgres", "8") is None
