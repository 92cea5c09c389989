"""What is to run: code by its digest, a template by its digest, and the values of its parameters."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gymops.deploy.artefact import Artefact, sha256
from gymops.deploy.environment import Deployment
from gymops.deploy.release.ledger import Release, ReleasedArtefact
from gymops.deploy.static import listed
from gymops.deploy.syntax import parse
from gymops.deploy.template import Template, compose
from gymops.deploy.verbs.site import Files
from gymops.errors import GateRefused

LIVE_VERSION = "LiveVersion"
"""The parameter that says which version serves: the business of the traffic, no part of what is wanted."""


@dataclass(frozen=True)
class Wanted:
    """What a release is made of."""

    artefact: ReleasedArtefact
    code: str
    """The code's digest as Lambda writes it."""
    template: Template
    parameters: Mapping[str, str]
    """Over those of the environment: what the artefact brings; for a recorded release, everything."""

    @property
    def template_digest(self) -> str:
        """``sha256:...`` of what CloudFormation gets."""
        return sha256(self.template.text.encode())


def around(deployment: Deployment) -> dict[str, str]:
    """The digests of the templates of all stacks but the application's, as they are here."""
    others = [stack for stack in deployment.stacks() if stack.name != "app"]
    return {stack.name: sha256(compose(stack.template).text.encode()) for stack in others}


def of_artefact(artefact: Artefact, bucket: str, repository: str, template: Template) -> Wanted:
    """What was built, as it will lie in the environment's bucket, or in its repository if it is an image."""
    brings: dict[str, str] = {"Architecture": artefact.arch}
    if artefact.kind == "image":
        uri = f"{repository}@{artefact.digest}"
        released = ReleasedArtefact(artefact.digest, "image", uri, listed(artefact))
        return Wanted(released, artefact.digest, template, {**brings, "ImageUri": uri})
    code, layer = (key(artefact, name) for name in ("app.zip", "layer.zip"))
    brings |= {
        "CodeBucket": bucket,
        "CodeKey": code,
        "LayerKey": layer if artefact.blob("layer.zip").unpacked else "",  # Lambda takes no empty layer
        "Runtime": f"python{artefact.python}",
        "Handler": artefact.handler,
    }
    released = ReleasedArtefact(artefact.digest, "zip", f"s3://{bucket}/{code}", listed(artefact))
    return Wanted(released, artefact.blob("app.zip").code_sha256, template, brings)


def of_release(release: Release, files: Files, own: Mapping[str, str]) -> Wanted:
    """What a recorded release was; its template is fetched by its digest.

    ``own`` are the environment's parameters as they are now: for those that were kept out of the record.

    Raises:
        GateRefused: a parameter was kept out of the record, and is not given now.
        AwsError: the template is gone, or another.
    """
    missing = [name for name in release.withheld if name not in own]
    if missing:
        raise GateRefused(
            f"release {release.number} had {', '.join(missing)}, which no record holds",
            hint=f"give it in [environments.{release.environment}.parameters] of gymops.toml",
        )
    text = files.get(template_key(release.template), release.template).decode()
    name = f"the template of {release.environment} {release.number}"
    return Wanted(
        release.artefact,
        code_of(release),
        Template(name, parse(text, name)),
        {**{name: own[name] for name in release.withheld}, **release.parameters},
    )


def code_of(release: Release) -> str:
    """The code's digest as Lambda writes it: of the image, or of the zip, whose key holds it."""
    if release.artefact.kind == "image":
        return release.artefact.uri.rpartition("@")[2]
    return base64.b64encode(bytes.fromhex(release.artefact.uri.split("/")[-2])).decode()


def key(artefact: Artefact, name: str) -> str:
    """Where a file of an artefact lies in a bucket."""
    return blob_key(artefact.blob(name).digest, name)


def blob_key(digest: str, name: str) -> str:
    """Where a file of this digest lies in a bucket."""
    return f"artefacts/{digest.removeprefix('sha256:')}/{name}"


def template_key(digest: str) -> str:
    """Where a template lies in a bucket."""
    return f"templates/{digest.removeprefix('sha256:')}.json"


def upload(artefact: Artefact, folder: Path, files: Files) -> None:
    """Store what was built under its digests; what is there already is not sent again.

    Raises:
        AwsError: it cannot be stored, or something else is stored there.
    """
    for blob in artefact.blobs:
        files.put(key(artefact, blob.name), folder / blob.name, blob.digest)


def copy(wanted: Wanted, source: Files, target: Files) -> None:
    """Copy a zip's files from one environment's bucket to another's, comparing digests on both sides.

    Raises:
        AwsError: a file is gone, or another.
    """
    for parameter in ("CodeKey", "LayerKey"):
        if where := wanted.parameters.get(parameter):
            digest = f"sha256:{where.split('/')[-2]}"
            target.put(where, source.get(where, digest), digest)
