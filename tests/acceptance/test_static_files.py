"""Pages in a bucket behind a CDN, as docs/any-app.md has them: released, promoted, and taken back.

A certificate in us-east-1 comes first, so that a first release makes all that there is to make, in its order.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from gymops.clock import SystemClock, ticks
from gymops.deploy.syntax import parse
from gymops.local.emulator import LocalAws
from gymops.local.settings import load
from tests.acceptance.test_any_app import LEASE, PAGE, PROD, STAGING, Shop

_SECTION = re.compile(r"^## Static files\n.*?^```text\n(.*?)^```", re.DOTALL | re.MULTILINE)
_STACKS = """
region = "eu-central-1"
smoke = ["/health"]
after = { prod = "staging" }

[[stack]]
name = "certificate"
template = "certificate.yaml"
scope = "environment"
region = "us-east-1"
needs = "Domain"

[[stack]]
name = "app"
template = "template.json"
scope = "environment"
"""
_CERTIFICATE = """
Parameters:
  Environment: {Type: String}
  Domain: {Type: String}
Resources:
  Certificate:
    Type: AWS::CertificateManager::Certificate
    Properties: {DomainName: !Ref Domain, ValidationMethod: DNS}
Outputs:
  CertificateArn: {Value: !Ref Certificate}
"""
FOREVER = "public, max-age=31536000, immutable"
ONE, TWO = "assets/app.1a2b3c4d.js", "assets/app.5e6f7a8b.js"
FIRST = {
    "index.html": f"<script src=/{ONE}></script>",
    ONE: "run('one')",
    "logo.svg": "<svg/>",
    "a b/ü.txt": "Grüße",
}


class PagesShop(Shop):
    """The shop of the page, with its section on static files, a certificate and two folders of pages."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        text = PAGE.read_text(encoding="utf-8")
        (section,) = _SECTION.findall(text)
        whole = parse((folder / "infra/template.yaml").read_text(encoding="utf-8"), "template")
        more = parse(section, "section")
        for part in ("Resources", "Outputs"):
            whole[part] |= more[part]
        whole["Parameters"]["CertificateArn"] = {"Type": "String"}
        distribution = whole["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
        distribution["ViewerCertificate"] = {
            "AcmCertificateArn": {"Ref": "CertificateArn"}, "SslSupportMethod": "sni-only",
            "MinimumProtocolVersion": "TLSv1.2_2021",
        }  # fmt: skip
        (folder / "infra/template.json").write_text(json.dumps(whole), encoding="utf-8")
        (folder / "infra/template.yaml").unlink()
        (folder / "infra/certificate.yaml").write_text(_CERTIFICATE, encoding="utf-8")
        (folder / "infra/stacks.toml").write_text(_STACKS, encoding="utf-8")
        settings = (folder / "gymops.toml").read_text(encoding="utf-8")
        settings = settings.replace('"infra/template.yaml"', '"./infra"')
        settings = settings.replace("[app]\n", '[app]\nstatic = "frontend/dist"\n')
        for name in ("staging", "prod"):
            settings += f'\n[environments.{name}.parameters]\nDomain = "{name}.example.com"\n'
        (folder / "gymops.toml").write_text(settings, encoding="utf-8")
        self.pages(FIRST)

    def pages(self, files: dict[str, str]) -> None:
        """What a build of the frontend would leave."""
        for path, text in files.items():
            file = self.folder / "frontend/dist" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def client(self, service: str, account: str, region: str = "eu-central-1") -> Any:
        local = LocalAws(self.folder / ".gymops", SystemClock(), os.environ)
        return boto3.client(
            service, endpoint_url=load(local.state / "settings.json").url, region_name=region,
            aws_access_key_id=account, aws_secret_access_key="local",
        )  # fmt: skip

    def outputs(self, environment: str, account: str) -> dict[str, str]:
        (stack,) = self.client("cloudformation", account).describe_stacks(StackName=f"{environment}-shop")[
            "Stacks"
        ]
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    def served(self, environment: str, account: str) -> dict[str, tuple[str, str, str]]:
        """What the bucket has: content, type, how long it may be kept."""
        s3, bucket = self.client("s3", account), self.outputs(environment, account)["StaticBucketName"]
        found = {}
        for one in s3.list_objects_v2(Bucket=bucket)["Contents"]:
            got = s3.get_object(Bucket=bucket, Key=one["Key"])
            found[one["Key"]] = (got["Body"].read().decode(), got["ContentType"], got["CacheControl"])
        return found

    def written(self) -> dict[str, Any]:
        """When each of staging's files was."""
        s3, bucket = self.client("s3", STAGING), self.outputs("staging", STAGING)["StaticBucketName"]
        return {one["Key"]: one["LastModified"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]}

    def stack(self, name: str, region: str = "eu-central-1") -> dict[str, Any]:
        """One of staging's."""
        client = self.client("cloudformation", STAGING, region)
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
        parameters = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}
        return {
            "parameters": parameters,
            "made": found["CreationTime"],
            "changed": found.get("LastUpdatedTime"),
        }

    def stacks(self) -> list[dict[str, Any]]:
        """Staging's, which were made one after the other."""
        found = [
            self.stack("shop-base"),
            self.stack("staging-shop-certificate", "us-east-1"),
            self.stack("staging-shop"),
        ]
        assert [one["made"] for one in found] == sorted(one["made"] for one in found)
        return found

    def forgot(self, environment: str, account: str) -> list[list[str]]:
        """The paths of each invalidation, the first one first."""
        client = self.client("cloudfront", account)
        distribution = self.outputs(environment, account)["DistributionId"]
        listed = client.list_invalidations(DistributionId=distribution)["InvalidationList"].get("Items", [])
        found = [
            client.get_invalidation(DistributionId=distribution, Id=one["Id"])["Invalidation"]
            for one in listed
        ]
        assert all(one["Status"] == "Completed" for one in found)
        batches = {one["InvalidationBatch"]["CallerReference"]: one["InvalidationBatch"] for one in found}
        return [batches[reference]["Paths"]["Items"] for reference in sorted(batches)]


@pytest.fixture
def shop(emulator_installed: None) -> Iterator[PagesShop]:
    with tempfile.TemporaryDirectory(prefix="gymops-pages-") as folder:
        found = PagesShop(Path(folder))
        try:
            found.run("local up --port 0")
            yield found
        finally:
            found.run("local down")


def _as_served(files: dict[str, str]) -> dict[str, tuple[str, str, str]]:
    types = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8",
             "svg": "image/svg+xml", "txt": "text/plain; charset=utf-8"}  # fmt: skip
    return {
        path: (text, types[path.rpartition(".")[2]], FOREVER if path.startswith("assets") else "no-cache")
        for path, text in files.items()
    }


@pytest.mark.long
def test_pages_are_released_changed_promoted_and_taken_back(shop: PagesShop) -> None:
    _, told = shop.run("deploy staging --yes")
    assert re.findall(r"^deploy staging: ([\w-]+)$", told, re.MULTILINE) == [
        "artefact", "stack-certificate", "stack", "schema", "version", "smoke", "static", "traffic", "pages",
        "settle", "record",
    ]  # fmt: skip
    assert shop.served("staging", STAGING) == _as_served(FIRST)
    assert shop.forgot("staging", STAGING) == []
    assert shop.stack("staging-shop")["parameters"]["CertificateArn"].startswith("arn:aws:acm:us-east-1:")

    stacks, written = shop.stacks(), shop.written()
    shop.run("deploy staging --yes")  # the same again
    assert (shop.stacks(), shop.written(), shop.forgot("staging", STAGING)) == (stacks, written, [])

    shop.pages({"index.html": f"<script src=/{TWO}></script>", TWO: "run('two')"})
    (shop.folder / "frontend/dist" / ONE).unlink()
    shop.run("deploy staging --yes")
    second = {**FIRST, "index.html": f"<script src=/{TWO}></script>", TWO: "run('two')"}
    assert shop.served("staging", STAGING) == _as_served(second)
    assert {path for path, when in shop.written().items() if written.get(path) != when} == {"index.html", TWO}
    assert shop.forgot("staging", STAGING) == [["/", "/index.html"]]

    shop.run("promote staging prod --yes")
    named = {
        path: text for path, text in second.items() if path != ONE
    }  # which no page of this release names
    assert shop.served("prod", PROD) == _as_served(named)
    assert shop.forgot("prod", PROD) == []

    shop.run("rollback staging --yes")
    assert shop.served("staging", STAGING) == _as_served({**second, **FIRST})
    assert shop.forgot("staging", STAGING) == [["/", "/index.html"]] * 2

    shop.run("promote staging prod --yes")
    assert shop.served("prod", PROD) == _as_served({**named, **FIRST})
    shop.run("rollback prod --yes")
    assert shop.served("prod", PROD) == _as_served({**FIRST, **named})
    assert shop.forgot("prod", PROD) == [["/", "/index.html"]] * 2

    counts = [
        (one["verb"], *(one["static"][name] for name in ("uploaded", "unchanged", "invalidated")))
        for name in ("staging", "prod")
        for one in shop.releases(name)["releases"]
    ]
    assert counts == [
        ("deploy", 4, 0, 0), ("deploy", 0, 4, 0), ("deploy", 2, 2, 2), ("rollback", 1, 3, 2),
        ("promote", 4, 0, 0), ("promote", 2, 2, 2), ("rollback", 1, 3, 2),
    ]  # fmt: skip
    (shop.folder / "frontend/dist/.env").write_text("A=1", encoding="utf-8")
    _, told = shop.run("deploy staging --yes", code=4)
    assert "frontend/dist/.env: by its name this file holds secrets" in told


@pytest.mark.soak
@pytest.mark.parametrize("step", ["static", "pages", "settle"])
def test_killed_among_the_pages_the_same_command_ends_with_one_release(shop: PagesShop, step: str) -> None:
    shop.run("deploy staging --yes")
    for attempt in range(5):
        changed = {"index.html": f"{step} {attempt}", f"assets/app.{attempt}a2b3c4e.js": f"run({attempt})"}
        shop.pages(changed)
        before, forgot = len(shop.releases("staging")["releases"]), len(shop.forgot("staging", STAGING))
        if shop.cut("deploy staging --yes", step):
            break
    else:
        pytest.fail(f"{step} was over sooner than it could be killed, five times")
    for _ in ticks(SystemClock(), timeout=8 * LEASE, interval=2.0):
        if shop.ended("deploy staging --yes") != 7:  # the dead one's lock
            break
    after = shop.releases("staging")["releases"][before:]
    assert [(one["verb"], one["outcome"], one["static"]["invalidated"]) for one in after] == [
        ("deploy", "succeeded", 2)
    ]
    assert shop.served("staging", STAGING).items() >= _as_served(changed).items()
    assert shop.forgot("staging", STAGING)[forgot:] == [["/", "/index.html"]]
