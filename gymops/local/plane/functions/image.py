"""The application layer of a container image: fetched from its registry, with what its configuration says."""

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

from gymops.local.plane.faults import Fault

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


def fetch(uri: str, gateway: str, machine: str) -> Image:
    """Fetch an image: from the local AWS's own registry where the URI names ECR, else from the one it names.

    Raises:
        Fault: it is not there, or not as its digest says.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise Fault("InvalidParameterValueException", f"Source image {uri} is not valid")
    host, name = match["host"], match["name"]
    ours = host.endswith(".amazonaws.com")
    loopback = host.partition(":")[0] in {"127.0.0.1", "localhost"}
    base = gateway if ours else f"{'http' if loopback else 'https'}://{host}"
    registry = _Registry(f"{base}/v2/{name}", host if ours else None, uri)
    digest = match["digest"]
    content = registry.get(f"manifests/{digest or match['tag']}", digest)
    manifest = json.loads(content)
    if "manifests" in manifest:
        chosen = next((one for one in manifest["manifests"] if _fits(one, machine)), manifest["manifests"][0])
        content = registry.get(f"manifests/{chosen['digest']}", chosen["digest"])
        manifest = json.loads(content)
    config = json.loads(registry.blob(manifest["config"]["digest"]))
    layer = registry.blob(manifest["layers"][-1]["digest"])
    return Image(hashlib.sha256(content).hexdigest(), layer, config.get("config") or {})


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


@dataclass(frozen=True)
class _Registry:
    base: str
    host: str | None
    uri: str

    def blob(self, digest: str) -> bytes:
        return self.get(f"blobs/{digest}", digest)

    def get(self, path: str, digest: str | None) -> bytes:
        headers = {"Accept": _MANIFESTS} | ({"Host": self.host} if self.host else {})
        request = urllib.request.Request(f"{self.base}/{path}", headers=headers)  # noqa: S310 - http(s)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
                content: bytes = answer.read()
        except (urllib.error.URLError, OSError) as error:
            raise Fault(
                "InvalidParameterValueException", f"Source image {self.uri} cannot be fetched: {error}"
            ) from error
        if digest and hashlib.sha256(content).hexdigest() != digest.removeprefix("sha256:"):
            raise Fault("InvalidParameterValueException", f"{self.uri}: {path} is not what its digest says")
        return content
