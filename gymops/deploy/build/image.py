"""An image put together from a base image and one layer: documents that name each other by digest.

Nothing of the base is unpacked or run, so an image for arm64 can be made on any machine. Its times are the
epoch: an image made twice is the same image.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gymops.config import App
from gymops.deploy.artefact import Arch, Blob, canonical, sha256
from gymops.deploy.build.failures import BuildError, RegistryError, written
from gymops.deploy.build.pack import Packed
from gymops.deploy.build.reference import Reference
from gymops.deploy.build.target import PLATFORMS
from gymops.errors import ConfigError

if TYPE_CHECKING:  # it takes half as long to import as all that a command of releases needs
    from gymops.deploy.build.registry import Repository

APP, PACKAGES = "opt/app", "opt/python"
"""Where the layer puts the application and its dependencies."""
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_OURS = {"application/vnd.docker.image.rootfs.diff.tar.gzip": _LAYER}
"""Docker's names for the same bytes; one manifest holds one kind of name."""
_EPOCH = "1970-01-01T00:00:00Z"
_USER = "10001:10001"  # by number, as an orchestrator that refuses root needs it
_ENVIRONMENT = {
    "PYTHONPATH": f"/{APP}:/{PACKAGES}",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "HOME": "/tmp",  # noqa: S108 - all that can be written to on Lambda
}


@dataclass(frozen=True)
class Base:
    """The image to stand on: its name with the digest that was asked for, its layers, its configuration."""

    reference: Reference
    layers: tuple[dict[str, Any], ...]
    config: dict[str, Any]

    @property
    def python(self) -> str | None:
        """``3.12`` where it says so, as Python's own images do."""
        listed = (self.config.get("config") or {}).get("Env") or []
        version = dict(line.partition("=")[::2] for line in listed).get("PYTHON_VERSION", "")
        return ".".join(version.split(".")[:2]) or None


@dataclass(frozen=True)
class Image:
    """A manifest and a configuration, as bytes, and every blob it names."""

    manifest: bytes
    config: bytes
    blobs: tuple[Blob, ...]

    @property
    def digest(self) -> str:
        return sha256(self.manifest)


def find_base(repository: Repository, arch: Arch) -> Base:
    """The base for an architecture, from its manifest or out of a list of them.

    Raises:
        ConfigError: it is not named by digest; the digest it has now is told.
        RegistryError: it is not there.
        BuildError: it is for another platform, or no image.
    """
    where = repository.where
    body, media = repository.manifest()
    if where.digest is None:
        raise ConfigError(
            f"{where}: a tag moves, and what is built on it cannot be built again",
            hint=f"name it by digest; it is now {replace(where, digest=sha256(body))}",
        )
    document = _object(body, where)
    if "manifests" in document:
        body, media = repository.manifest(_chosen(document["manifests"], arch, where))
        document = _object(body, where)
    try:
        config = _object(repository.document(document["config"]["digest"]), where)
        layers = tuple(
            {**one, "mediaType": _OURS.get(one["mediaType"], one["mediaType"])} for one in document["layers"]
        )
        platform = (config["os"], config["architecture"])
        count = len(config["rootfs"]["diff_ids"])
    except (KeyError, TypeError):
        raise BuildError(f"{where}: no image: its manifest is {media or 'of no known kind'}") from None
    if platform != ("linux", PLATFORMS[arch]):
        raise BuildError(
            f"{where}: is for {'/'.join(platform)}, and linux/{PLATFORMS[arch]} is built",
            hint="name the digest of the list of all platforms, or build for another with --arch",
        )
    if count != len(layers):
        raise BuildError(f"{where}: {len(layers)} layers, and {count} in its configuration")
    return Base(where, layers, config)


def compose(base: Base, layer: Packed, app: App) -> Image:
    """The image: the base's layers and ours, started as the app says."""
    configuration: dict[str, Any] = {**(base.config.get("config") or {})}
    listed = [line for line in configuration.get("Env") or [] if line.partition("=")[0] not in _ENVIRONMENT]
    configuration |= {
        "Env": [*listed, *(f"{name}={value}" for name, value in _ENVIRONMENT.items())],
        "Entrypoint": list(app.command) or ["python", "-m", "awslambdaric"],
        "Cmd": None if app.command else [app.handler],
        "User": _USER,
        "WorkingDir": f"/{APP}",
        # Fargate gives a mounted /tmp the mode that it has in the image only where the image says so.
        "Volumes": {**(configuration.get("Volumes") or {}), "/tmp": {}},  # noqa: S108
        "Labels": {
            **(configuration.get("Labels") or {}),
            "org.opencontainers.image.title": app.name,
            "org.opencontainers.image.base.name": f"{base.reference.name}",
            "org.opencontainers.image.base.digest": str(base.reference.digest),
            "dev.gymops.handler": app.handler,
        },
    }
    history: list[Any] = [*(base.config.get("history") or [])]
    history.append({"created": _EPOCH, "created_by": "gymops build", "comment": app.name})
    kept: dict[str, Any] = {
        name: base.config[name] for name in ("architecture", "os", "variant") if name in base.config
    }
    document: dict[str, Any] = {
        **kept,
        "created": _EPOCH,
        "config": {name: value for name, value in configuration.items() if value is not None},
        "rootfs": {"type": "layers", "diff_ids": [*base.config["rootfs"]["diff_ids"], layer.diff_id]},
        "history": history,
    }
    config = canonical(document)
    ours = {"mediaType": _LAYER, "digest": layer.blob.digest, "size": layer.blob.size}
    described = {"mediaType": _CONFIG, "digest": sha256(config), "size": len(config)}
    listed_layers = [*base.layers, ours]
    manifest = canonical(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": listed_layers}
    )
    blobs = [
        Blob(f"base-{at}", str(one["digest"]), int(one["size"]), 0) for at, one in enumerate(base.layers)
    ]
    blobs += [Blob("layer", layer.blob.digest, layer.blob.size, layer.blob.unpacked)]
    blobs += [Blob("config", sha256(config), len(config), 0)]
    blobs += [Blob("manifest", sha256(manifest), len(manifest), 0)]
    return Image(manifest, config, tuple(blobs))


def write_layout(folder: Path, image: Image, layer: Path) -> None:
    """An OCI image layout, which skopeo, podman and others read; the caller puts the base's layers in."""
    blobs = folder / "blobs" / "sha256"
    with written(folder):
        blobs.mkdir(parents=True)
        for document in (image.manifest, image.config):
            (blobs / _hex(sha256(document))).write_bytes(document)
        ours = next(blob for blob in image.blobs if blob.name == "layer")
        layer.replace(blobs / _hex(ours.digest))
        (folder / "oci-layout").write_bytes(canonical({"imageLayoutVersion": "1.0.0"}))
        listed = [{"mediaType": MANIFEST, "digest": image.digest, "size": len(image.manifest)}]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
        (folder / "index.json").write_bytes(canonical(index))


def _renamed(layer: dict[str, Any]) -> dict[str, Any]:
    return {**layer, "mediaType": _OURS.get(layer["mediaType"], layer["mediaType"])}


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _chosen(listed: Any, arch: Arch, where: Reference) -> str:
    """The digest of the one for our platform; attestations are for none."""
    found = []
    for one in listed if isinstance(listed, list) else []:
        platform = one.get("platform") or {}
        name = f"{platform.get('os')}/{platform.get('architecture')}"
        if name == f"linux/{PLATFORMS[arch]}":
            return str(one["digest"])
        if "unknown" not in name:
            found.append(name)
    raise BuildError(
        f"{where}: not for linux/{PLATFORMS[arch]}, only for {', '.join(sorted(found)) or 'nothing'}",
        hint="name another base, or build for another platform with --arch",
    )


def _object(body: bytes, where: Reference) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise RegistryError(f"{where}: its manifest is no JSON object")
    return document
