"""The registries behind the local AWS's ECR: what is pushed is there by its digest, for its account."""

from __future__ import annotations

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from gymops.deploy.artefact import Blob, canonical, sha256
from gymops.deploy.build.failures import RegistryError
from gymops.deploy.build.image import MANIFEST
from gymops.deploy.build.reference import Reference
from gymops.deploy.build.registry import Repository
from tests.integration.build.registries import FastClock
from tests.local_aws import ACCOUNT, Aws, unique, until

OTHER = "222222222222"


def token(aws: Aws, account: str = ACCOUNT) -> tuple[str, str]:
    told = aws.client("ecr", account).get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(told["authorizationToken"]).decode().partition(":")
    return user, password


def repository(aws: Aws, uri: str, login: tuple[str, str], **given: Any) -> Repository:
    return Repository(
        Reference.parse(uri), credentials=lambda _: login, clock=FastClock(), at=aws.settings.url, **given
    )


def pushed(where: Repository, folder: Path, content: bytes = b"a layer", tag: str | None = None) -> str:
    """An image of one layer; its digest."""
    described = []
    for data in (b"{}", content):
        (folder / "blob").write_bytes(data)
        where.push_blob(Blob("blob", sha256(data), len(data), 0), folder / "blob")
        described.append({"mediaType": "application/any", "digest": sha256(data), "size": len(data)})
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}
    return where.push_manifest(canonical(manifest), MANIFEST, tag)


def test_what_is_pushed_is_in_ecr_by_digest_and_tag_for_its_account(aws: Aws, tmp_path: Path) -> None:
    ecr, name = aws.client("ecr"), unique("team/shop")
    uri = ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    where = repository(aws, uri, token(aws))
    digest = pushed(where, tmp_path, tag="staging")
    assert where.document(sha256(b"a layer")) == b"a layer"
    (image,) = ecr.describe_images(repositoryName=name)["imageDetails"]
    assert (image["imageDigest"], image["imageTags"]) == (digest, ["staging"])
    (found,) = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": digest}])["images"]
    assert sha256(found["imageManifest"].encode()) == digest
    with pytest.raises(RegistryError, match="the token is of account 222222222222"):
        repository(aws, uri, token(aws, OTHER)).manifest(digest)
    with pytest.raises(RegistryError, match="not allowed"):
        repository(aws, uri, ("AWS", "a guess")).manifest(digest)
    with pytest.raises(RegistryError, match="there is no repository"):
        repository(aws, uri.replace(ACCOUNT, OTHER), token(aws, OTHER)).manifest(digest)


def test_a_manifest_needs_its_layers_and_a_layer_its_digest(aws: Aws, tmp_path: Path) -> None:
    ecr, name = aws.client("ecr"), unique("shop")
    uri = ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    where = repository(aws, uri, token(aws))
    missing = {"mediaType": "application/any", "digest": f"sha256:{'0' * 64}", "size": 1}
    manifest = canonical({"schemaVersion": 2, "mediaType": MANIFEST, "config": missing, "layers": []})
    with pytest.raises(RegistryError, match="has no sha256:000"):
        where.push_manifest(manifest, MANIFEST)
    (tmp_path / "blob").write_bytes(b"other")
    with pytest.raises(RegistryError, match="not what its digest says"):
        where.push_blob(Blob("blob", sha256(b"one"), 5, 0), tmp_path / "blob")
    assert not where.has(sha256(b"one"))


def test_in_pieces_mounted_and_gone_with_the_repository(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gymops.deploy.build import registry as client

    monkeypatch.setattr(client, "_CHUNKED", 10)
    monkeypatch.setattr(client, "_PIECE", 7)
    ecr = aws.client("ecr")
    names = [unique("one"), unique("two")]
    one, two = (
        repository(aws, ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"], token(aws))
        for name in names
    )
    data = bytes(range(200))
    pushed(one, tmp_path, data)
    assert not two.has(sha256(data))
    assert two.mount(sha256(data), names[0])
    assert not two.mount(sha256(b"nobody's"), names[0])
    assert two.document(sha256(data)) == data
    ecr.delete_repository(repositoryName=names[0], force=True)
    ecr.create_repository(repositoryName=names[0])
    assert not one.has(sha256(data))
    assert two.has(sha256(data))


def test_a_killed_local_aws_has_its_images_afterwards(fresh: Aws, tmp_path: Path) -> None:
    """Also of a repository that a stack made, when nobody asked ECR for anything since."""
    fresh.up()
    body = {
        "Resources": {"Images": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "shop"}}}
    }
    fresh.client("cloudformation").create_stack(StackName="images", TemplateBody=json.dumps(body))
    fresh.stack("images", "CREATE_COMPLETE")
    uri = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/shop"
    digest = pushed(repository(fresh, uri, token(fresh)), tmp_path, tag="keep")
    pid = fresh.local.status().pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: not fresh.local.status().running)
    fresh.up()
    where = repository(fresh, uri, token(fresh))
    assert sha256(where.manifest("keep")[0]) == digest
    assert where.document(sha256(b"a layer")) == b"a layer"
