"""Functions for the tests: small sources, deployed as zips."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import urllib.request
import zipfile
from hashlib import sha256
from typing import Any

from tests.local_aws import Aws, unique

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
ROLE = "arn:aws:iam::111111111111:role/any"


def package(files: dict[str, str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return held.getvalue()


def deploy(aws: Aws, source: str, **given: Any) -> str:
    name = unique("fn")
    aws.client("lambda").create_function(
        **{
            "FunctionName": name, "Runtime": RUNTIME, "Handler": "main.handler", "Role": ROLE, "Timeout": 20,
            "Code": {"ZipFile": package({"main.py": source})}, **given,
        }
    )  # fmt: skip
    return name


def invoke(aws: Aws, name: str, event: Any = None, **given: Any) -> Any:
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **given)
    found = json.load(answer["Payload"])
    return {"failed": found} if answer.get("FunctionError") else found


def push(aws: Aws, repository: str, files: dict[str, str], config: dict[str, Any]) -> str:
    """An image of one layer, pushed by the distribution protocol."""
    aws.client("ecr").create_repository(repositoryName=repository)
    host = "111111111111.dkr.ecr.us-east-1.amazonaws.com"
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("opt/venv/bin/python")
        link.type, link.linkname = tarfile.SYMTYPE, "/usr/local/bin/python"
        archive.addfile(link)
    layer = held.getvalue()
    document = json.dumps({"architecture": "amd64", "os": "linux", "config": config}).encode()
    token = aws.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]

    def send(method: str, path: str, body: bytes, kind: str = "application/octet-stream") -> Any:
        request = urllib.request.Request(  # noqa: S310
            f"{aws.settings.url}/v2/{repository}/{path}", body,
            {"Host": host, "Content-Type": kind, "Authorization": f"Basic {token}"}, method=method,
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.headers

    digests = []
    for content in (document, layer):
        digest = f"sha256:{sha256(content).hexdigest()}"
        place = send("POST", "blobs/uploads/", b"")["Location"].partition(f"/v2/{repository}/")[2]
        send("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", content)
        digests.append(digest)
    manifest = json.dumps(
        {
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digests[0],
                       "size": len(document)},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digests[1],
                        "size": len(layer)}],
        }
    ).encode()  # fmt: skip
    send("PUT", "manifests/v1", manifest, "application/vnd.oci.image.manifest.v1+json")
    return f"{host}/{repository}@sha256:{sha256(manifest).hexdigest()}"
