"""Every call that gymops makes is in the list of what it must be allowed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore import xform_name

from gymops.deploy.doctor import own

FOLDER = Path(__file__).parents[3] / "gymops" / "aws"
ACTIONS = {
    "s3:ListObjectsV2": "s3:ListBucket", "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:CreateMultipartUpload": "s3:PutObject", "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:ListObjectVersions": "s3:ListBucketVersions", "s3:ListBuckets": "s3:ListAllMyBuckets",
    "lambda:Invoke": "lambda:InvokeFunction", "servicequotas:GetAwsDefaultServiceQuota":
    "servicequotas:GetAWSDefaultServiceQuota",
}  # fmt: skip
"""The calls whose action is called otherwise."""
PREFIXES = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas"}
LISTED = (
    own.RELEASE
    | own.IMAGES
    | own.TASKS
    | own.BLUE_GREEN
    | own.DESTROY
    | own.RESTORE
    | own.TABLES
    | own.NEON
    | own.AUDIT
    | own.DOCTOR
    | own.RUNTIME
)


def calls(file: Path) -> Iterator[str]:
    """What a file asks of AWS: each name in it that is an operation of a service it makes a client of."""
    text = file.read_text(encoding="utf-8")
    services = set(re.findall(r'client\(\s*"([a-z0-9-]+)"', text))
    services |= set(re.findall(r'"\),\s*"([a-z0-9]+)",', text))  # as the table of quotas has them
    if file.name in {"s3.py", "bucket.py", "blobs.py", "object_lock.py"}:
        services.add("s3")  # its client is given
    nodes = list(ast.walk(ast.parse(text)))
    names = {one.attr for one in nodes if isinstance(one, ast.Attribute)}
    names |= {one.value for one in nodes if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    session = boto3.session.Session()
    for service in services & set(session.get_available_services()):
        model = session._session.get_service_model(service)
        for operation in model.operation_names:
            if xform_name(operation) in names:
                yield f"{PREFIXES.get(service, service)}:{operation}"


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.name)
def test_every_call_is_listed(file: Path) -> None:
    missing = {ACTIONS.get(one, one) for one in calls(file)} - LISTED
    assert not missing, f"{file.name}: add it to gymops/deploy/doctor/own.py"


def test_calls_are_found_at_all() -> None:
    found = {one for file in FOLDER.glob("*.py") for one in calls(file)}
    assert found >= {
        "cloudformation:CreateChangeSet", "s3:PutObject", "sts:GetCallerIdentity", "lambda:PublishVersion",
        "iam:SimulatePrincipalPolicy", "ec2:DescribeVpcs",
    }  # fmt: skip
