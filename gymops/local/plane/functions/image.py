"""The application layer of a container image, with its configuration: out of ECR, or of another registry."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from gymops.local.plane import ministack, registry
from gymops.local.plane.faults import Fault
from gymops.local.plane.registry import Registry

_URI = re.compile(
    r"(?P<host>[^/]+)/(?P<name>[^@:]+(?:/[^@:]+)*)(?:@(?P<digest>sha256:[0-9a-f]{64})|:(?P<tag>[\w.-]+))"
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json,"
    " application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"
)


@dataclass(frozen=True)
class Image:
    """What of an image is used: its last layer, and its configuration."""

    digest: str
    layer: bytes
    config: dict[str, Any]


def fetch(uri: str, ours: Registry, machine: str) -> Image:
    """Fetch an image: from the local AWS's own registry where the URI names ECR, else from the one it names.

    Raises:
        Fault: it is not there, or not as its digest says.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise Fault("InvalidParameterValueException", f"Source image {uri} is not valid")
    host, name = match["host"], match["name"]
    source: _Ecr | _Registry
    if ecr := registry.HOST.fullmatch(host):
        source = _Ecr(ours, ecr[1], ecr[2], name, uri)
    else:
        loopback = host.partition(":")[0] in {"127.0.0.1", "localhost"}
        source = _Registry(f"{'http' if loopback else 'https'}://{host}/v2/{name}", uri)
    digest = match["digest"]
    content = _checked(source.manifest(digest or match["tag"]), digest, uri)
    manifest = json.loads(content)
    if "manifests" in manifest:
        chosen = next((one for one in manifest["manifests"] if _fits(one, machine)), manifest["manifests"][0])
        content = _checked(source.manifest(chosen["digest"]), chosen["digest"], uri)
        manifest = json.loads(content)
    config, layer = (
        _checked(source.blob(one["digest"]), one["digest"], uri)
        for one in (manifest["config"], manifest["layers"][-1])
    )
    return Image(hashlib.sha256(content).hexdigest(), layer, json.loads(config).get("config") or {})


def unpack(layer: bytes, target: Any) -> None:
    """Unpack a layer; a link that leads out of it (a virtual environment's Python) is left out."""
    with tarfile.open(fileobj=io.BytesIO(layer), mode="r:*") as archive:
        archive.extractall(target, filter=_inside)  # noqa: S202 - the filter is what makes it safe


def _inside(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    if ".wh." in member.name:
        return None
    try:
        return tarfile.data_filter(member, path)
    except tarfile.FilterError:
        return None


def _fits(entry: dict[str, Any], machine: str) -> bool:
    return bool(entry.get("platform", {}).get("architecture") == machine)


def _checked(content: bytes, digest: str | None, uri: str) -> bytes:
    if digest and hashlib.sha256(content).hexdigest() != digest.removeprefix("sha256:"):
        raise Fault("InvalidParameterValueException", f"{uri}: {digest} is not what its digest says")
    return content


@dataclass(frozen=True)
class _Ecr:
    """A repository of the local AWS."""

    registry: Registry
    account: str
    region: str
    name: str
    uri: str

    def manifest(self, which: str) -> bytes:
        with ministack.scope(self.account, self.region):
            _, content, _ = ministack.service("ecr")._resolve_manifest(self.name, which)
        if content is None:
            raise Fault("InvalidParameterValueException", f"Source image {self.uri} does not exist")
        return bytes(content)

    def blob(self, digest: str) -> bytes:
        try:
            return self.registry.blob(self.account, self.region, self.name, digest).read_bytes()
        except OSError as error:
            raise Fault(
                "InvalidParameterValueException", f"Source image {self.uri} does not exist: {digest} is gone"
            ) from error


@dataclass(frozen=True)
class _Registry:
    """A repository elsewhere."""

    base: str
    uri: str

    def manifest(self, which: str) -> bytes:
        return self._get(f"manifests/{which}")

    def blob(self, digest: str) -> bytes:
        return self._get(f"blobs/{digest}")

    def _get(self, path: str) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - http(s)
            f"{self.base}/{path}", headers={"Accept": _MANIFESTS}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
                content: bytes = answer.read()
        except (urllib.error.URLError, OSError) as error:
            raise Fault(
                "InvalidParameterValueException", f"Source image {self.uri} cannot be fetched: {error}"
            ) from error
        return content
