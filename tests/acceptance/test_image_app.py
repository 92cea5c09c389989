"""An app that is an image: released, promoted into another account, taken back, killed in the middle."""

from __future__ import annotations

import base64
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gymops.clock import SystemClock, ticks
from gymops.deploy.artefact import Blob, canonical, sha256
from gymops.deploy.build.reference import Reference
from gymops.deploy.build.registry import Repository
from gymops.local.emulator import LocalAws
from gymops.local.settings import load
from tests.acceptance.test_any_app import LEASE, PROD, STAGING, START, Shop

SHOP = """import json, os, urllib.request

def handler(event):
    if event.get("rawPath", "/") not in ("/", "/health"):
        return {"statusCode": 404, "body": "no such page"}
    return {"statusCode": 200, "body": json.dumps({"shop": os.environ["SHOP"], "says": "first"})}

def serve():
    api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
    while True:
        with urllib.request.urlopen(f"{api}/next") as answer:
            event, which = json.load(answer), answer.headers["Lambda-Runtime-Aws-Request-Id"]
        body = json.dumps(handler(event)).encode()
        urllib.request.urlopen(urllib.request.Request(f"{api}/{which}/response", body)).read()

if __name__ == "__main__":
    serve()
"""
"""It brings its own client of the Runtime API, as an image for Lambda does."""
TEMPLATE = """
Parameters:
  Environment: {Type: String}
  AppName: {Type: String}
  ImageUri: {Type: String}
  Architecture: {Type: String}
  LiveVersion: {Type: String, Default: ""}
Conditions:
  FirstVersionServes: !Equals [!Ref LiveVersion, ""]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Action: sts:AssumeRole, Principal: {Service: lambda.amazonaws.com}}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Sub "${Environment}-${AppName}"
      PackageType: Image
      Code: {ImageUri: !Ref ImageUri}
      Architectures: [!Ref Architecture]
      Role: !GetAtt Role.Arn
      Timeout: 10
      Environment: {Variables: {SHOP: !Ref Environment}}
  FirstVersion:
    Type: AWS::Lambda::Version
    Properties: {FunctionName: !Ref Function}
  Live:
    Type: AWS::Lambda::Alias
    Properties:
      FunctionName: !Ref Function
      Name: live
      FunctionVersion: !If [FirstVersionServes, !GetAtt FirstVersion.Version, !Ref LiveVersion]
Outputs:
  FunctionName: {Value: !Ref Function}
  FunctionAlias: {Value: !Ref Live}
"""
DIES = START.replace(
    "main(",
    """
import os, signal
from gymops.deploy.build.registry import Repository
Repository.push_manifest = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main(""",
)
"""gymops, killed when all of an image is sent but its manifest."""
MACHINE = "arm64" if platform.machine() in ("aarch64", "arm64") else "amd64"
OCI = "application/vnd.oci.image"


class ImageShop(Shop):
    """A shop whose artefact is an image, on a base that lies in the local AWS too."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "shop.py").write_text(SHOP, encoding="utf-8")
        (folder / "infra/template.yaml").write_text(TEMPLATE, encoding="utf-8")

    def configure(self) -> None:
        """Once the local AWS is up."""
        file = self.folder / "gymops.toml"
        named = 'handler = "shop.handler"\n'
        kind = f'kind = "image"\nbase = "{self.based()}"\ncommand = ["python", "-m", "shop"]\n'
        file.write_text(file.read_text(encoding="utf-8").replace(named, named + kind), encoding="utf-8")

    def based(self) -> str:
        """A base's name, which docker's configuration in the folder ``docker`` lets in."""
        token, host = self.token(STAGING), self.url.removeprefix("http://")
        self.client("ecr", STAGING).create_repository(repositoryName="base")
        auths = {host: {"auth": base64.b64encode(":".join(token).encode()).decode()}}
        (self.folder / "docker").mkdir()
        (self.folder / "docker/config.json").write_text(json.dumps({"auths": auths}), encoding="utf-8")
        return self.base(f"{host}/base", token)

    @property
    def url(self) -> str:
        local = LocalAws(self.folder / ".gymops", SystemClock(), os.environ)
        return load(local.state / "settings.json").url

    def token(self, account: str) -> tuple[str, str]:
        told = self.client("ecr", account).get_authorization_token()["authorizationData"][0]
        user, _, password = base64.b64decode(told["authorizationToken"]).decode().partition(":")
        return user, password

    def base(self, name: str, token: tuple[str, str]) -> str:
        """A base of one layer of 1 MB; its name by digest."""
        where = Repository(Reference.parse(name), credentials=lambda _: token, clock=SystemClock())
        layer, python = os.urandom(1_000_000), f"{sys.version_info.major}.{sys.version_info.minor}"
        config = canonical({
            "os": "linux", "architecture": MACHINE, "config": {"Env": [f"PYTHON_VERSION={python}.0"]},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer)]},
        })  # fmt: skip
        described = []
        for kind, data in (("config.v1+json", config), ("layer.v1.tar", layer)):
            (self.folder / "blob").write_bytes(data)
            where.push_blob(Blob("blob", sha256(data), len(data), 0), self.folder / "blob")
            described.append({"mediaType": f"{OCI}.{kind}", "digest": sha256(data), "size": len(data)})
        manifest = {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json"}
        body = canonical({**manifest, "config": described[0], "layers": described[1:]})
        return f"{name}@{where.push_manifest(body, f'{OCI}.manifest.v1+json')}"

    def images(self, account: str) -> dict[str, list[str]]:
        """Digest -> tags, as ECR tells them."""
        told = self.client("ecr", account).describe_images(repositoryName="shop")["imageDetails"]
        return {one["imageDigest"]: sorted(one["imageTags"]) for one in told}


class Tracker(ImageShop):
    """What ``gymops init`` writes, and no more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


@pytest.fixture(scope="module")
def shop(emulator_installed: None) -> Iterator[ImageShop]:
    with (
        tempfile.TemporaryDirectory(prefix="gymops-image-") as folder,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setenv("DOCKER_CONFIG", f"{folder}/docker")
        found = ImageShop(Path(folder))
        try:
            found.run("local up --port 0")
            found.configure()
            yield found
        finally:
            found.run("local down")


def running(shop: ImageShop, environment: str) -> Any:
    """The last release of an environment."""
    return shop.releases(environment)["releases"][-1]


@pytest.mark.long
def test_it_is_released_promoted_and_taken_back(shop: ImageShop) -> None:
    shop.says("first")
    shop.run("deploy staging --yes")
    first = running(shop, "staging")["artefact"]
    assert first["kind"] == "image"
    assert first["uri"] == f"{STAGING}.dkr.ecr.eu-central-1.amazonaws.com/shop@{first['digest']}"
    assert shop.heard("staging", STAGING) == {"shop": "staging", "says": "first"}
    keep = f"keep-sha256-{first['digest'][7:19]}"
    assert shop.images(STAGING)[first["digest"]] == [keep, "staging"]
    _, said = shop.run("deploy staging --yes")
    assert "MB to" not in said  # nothing is sent again
    shop.run("promote staging prod --yes")
    there = running(shop, "prod")["artefact"]
    assert there == {**first, "uri": first["uri"].replace(STAGING, PROD)}
    assert shop.images(PROD)[first["digest"]] == [keep, "prod"]
    assert shop.heard("prod", PROD) == {"shop": "prod", "says": "first"}
    ours, theirs = (
        shop.client("ecr", account).batch_get_image(
            repositoryName="shop", imageIds=[{"imageDigest": first["digest"]}]
        )["images"][0]["imageManifest"]
        for account in (STAGING, PROD)
    )
    assert ours == theirs
    shop.says("second")
    shop.run("deploy staging --yes")
    second = running(shop, "staging")["artefact"]["digest"]
    assert shop.heard("staging", STAGING)["says"] == "second"
    assert shop.images(STAGING)[first["digest"]] == [keep]
    assert shop.images(STAGING)[second] == [f"keep-sha256-{second[7:19]}", "staging"]
    shop.run("rollback staging --yes")
    assert shop.heard("staging", STAGING)["says"] == "first"
    assert shop.images(STAGING)[first["digest"]] == [keep, "staging"]


@pytest.mark.long
def test_killed_between_layers_and_manifest_it_sends_only_the_manifest_again(shop: ImageShop) -> None:
    shop.says("third")
    shop.run("deploy staging --yes")
    digest = running(shop, "staging")["artefact"]["digest"]
    before = len(shop.releases("prod")["releases"])
    done = subprocess.run(
        [sys.executable, "-c", DIES, "promote", "staging", "prod", "--yes"],
        cwd=shop.folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert "MB to" in done.stderr
    assert digest not in shop.images(PROD)
    for _ in ticks(SystemClock(), timeout=8 * LEASE, interval=2.0):  # the dead one's lock
        process = shop.start("promote staging prod --yes")
        _, said = process.communicate(timeout=300)
        if process.returncode != 7:
            break
    assert process.returncode == 0, said
    assert "MB to" not in said
    assert f"keep-sha256-{digest[7:19]}" in shop.images(PROD)[digest]
    after = shop.releases("prod")["releases"][before:]
    assert [(one["verb"], one["outcome"], one["artefact"]["digest"]) for one in after] == [
        ("promote", "succeeded", digest)
    ]
    assert shop.heard("prod", PROD)["says"] == "third"


@pytest.mark.long
def test_a_policy_that_lets_releases_go_and_a_tag_are_refused(shop: ImageShop) -> None:
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5}
    rule = {"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}
    shop.run("deploy staging --yes")
    ecr = shop.client("ecr", STAGING)
    kept = ecr.get_lifecycle_policy(repositoryName="shop")["lifecyclePolicyText"]
    ecr.put_lifecycle_policy(repositoryName="shop", lifecyclePolicyText=json.dumps({"rules": [rule]}))
    _, said = shop.run("deploy staging --yes", 4)
    assert "rule 1: tagStatus any selects them too" in said
    ecr.put_lifecycle_policy(repositoryName="shop", lifecyclePolicyText=kept)
    uri, digest = running(shop, "staging")["artefact"]["uri"].split("@")
    settings = shop.folder / "gymops.toml"
    text = settings.read_text(encoding="utf-8")
    tagged = f'smoke = ["/health"]\nparameters = {{ImageUri = "{uri}:staging"}}\n'
    settings.write_text(text.replace('smoke = ["/health"]\n', tagged, 1), encoding="utf-8")
    _, said = shop.run("deploy staging --yes", 4)
    settings.write_text(text, encoding="utf-8")
    assert f"it is now {uri}@{digest}" in said


@pytest.mark.long
def test_the_tracker_is_an_image_too(emulator_installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its one-shot function is the same image with another handler, and applies the schema."""
    with tempfile.TemporaryDirectory(prefix="gymops-tracker-") as folder:
        monkeypatch.setenv("DOCKER_CONFIG", f"{folder}/docker")
        tracker = Tracker(Path(folder))
        try:
            tracker.run("init --architecture titan-trakr")
            tracker.run("local up --port 0")
            with (tracker.folder / "gymops.toml").open("a", encoding="utf-8") as file:
                file.write(f'\n[app]\nkind = "image"\nbase = "{tracker.based()}"\n')
            tracker.run("deploy staging --yes")
            done = running(tracker, "staging")
        finally:
            tracker.run("local down")
    assert (done["artefact"]["kind"], done["outcome"]) == ("image", "succeeded")
    assert done["schema_after"]
    assert [one["good"] for one in done["smoke"]] == [True, True]
