"""An image from where it lies into a registry, by its manifest: the same bytes, so the same digest.

1. What the registry holds is not sent again; what it holds in another repository is taken over there.
2. The manifest comes last, and its protected tag with it: until then nothing is to be seen, and a transfer
   that ended half-way goes on where it ended.
3. The manifest is read back, and its digest compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, Protocol

from gymops.deploy.artefact import Blob, sha256
from gymops.deploy.build.failures import BuildError, RegistryError, written
from gymops.deploy.build.image import MANIFEST
from gymops.deploy.build.reference import Reference

Tell = Callable[[str], None]


class Registry(Protocol):
    """A repository, by the distribution API."""

    @property
    def where(self) -> Reference:
        """Its name."""

    def manifest(self, wanted: str | None = None) -> tuple[bytes, str]:
        """A manifest's bytes and media type, by digest or tag."""

    def digest(self, wanted: str) -> str | None:
        """What a tag names now, or a digest, if it is there."""

    def has(self, digest: str) -> bool:
        """Whether it holds a blob."""

    def mount(self, digest: str, source: str) -> bool:
        """Take a blob over from another repository of this registry; False where that is not possible."""

    def download(self, digest: str, to: Path) -> None:
        """A blob into a file."""

    def push_blob(self, blob: Blob, file: Path) -> None:
        """Send a blob."""

    def push_manifest(self, body: bytes, media_type: str, tag: str | None = None) -> str:
        """Send a manifest, and see that it is there under its digest."""


class Source(Protocol):
    """Where an image lies."""

    def manifest(self, digest: str) -> tuple[bytes, str]:
        """Its manifest, whose digest this is."""

    def send(self, blob: Blob, to: Registry) -> None:
        """Bring one of its blobs to a registry."""


@dataclass(frozen=True)
class Layout:
    """An OCI image layout in a folder, as ``gymops build`` makes it."""

    folder: Path

    def manifest(self, digest: str) -> tuple[bytes, str]:
        """Its manifest.

        Raises:
            BuildError: it is not there, or not what was built.
        """
        body = self._file(digest).read_bytes()
        if sha256(body) != digest:
            raise BuildError(f"{self.folder}: is not what was built", hint="build it again: gymops build")
        return body, MANIFEST

    def send(self, blob: Blob, to: Registry) -> None:
        """The registry compares what arrives with the digest."""
        send(blob, self._file(blob.digest), to)

    def _file(self, digest: str) -> Path:
        file = self.folder / "blobs" / digest.replace(":", "/")
        if not file.exists():
            raise BuildError(f"{file}: is gone", hint="build it again: gymops build")
        return file


@dataclass(frozen=True)
class Elsewhere:
    """Another repository, of this account or another."""

    registry: Registry

    def manifest(self, digest: str) -> tuple[bytes, str]:
        """Its manifest."""
        return self.registry.manifest(digest)

    def send(self, blob: Blob, to: Registry) -> None:
        """One blob at a time is on this disk, for as long as it takes."""
        where = self.registry.where
        if where.host == to.where.host and to.mount(blob.digest, where.repository):
            return
        with written(Path(gettempdir()), "TMPDIR"), TemporaryDirectory(prefix="gymops-image-") as folder:
            self.registry.download(blob.digest, file := Path(folder) / "blob")
            send(blob, file, to)


def transfer(digest: str, source: Source, to: Registry, tag: str, tell: Tell) -> None:
    """Bring an image to a repository, under its digest and a tag that never moves.

    Raises:
        BuildError: it is a list of images, or not what was built.
        RegistryError: a registry refuses or fails; the tag is another image's.
    """
    body, media = source.manifest(digest)
    if to.digest(digest) is None:
        for blob in _blobs(body, digest):
            if to.has(blob.digest):
                continue
            tell(f"sending {blob.size / 1e6:,.1f} MB to {to.where.name}")
            source.send(blob, to)
    protect(digest, body, media, to, tag)
    if to.manifest(digest)[0] != body:
        raise RegistryError(f"{to.where.name}: holds another manifest than {digest}")


def send(blob: Blob, file: Path, to: Registry) -> None:
    """Send a blob and see that it is there; where an upload is lost half-way, begin it anew once."""
    try:
        to.push_blob(blob, file)
    except RegistryError as error:
        if error.status != 404:
            raise
        to.push_blob(blob, file)
    if not to.has(blob.digest):
        raise RegistryError(f"{to.where.name}: took {blob.digest}, and does not have it", hint="run it again")


def protect(digest: str, body: bytes, media: str, to: Registry, tag: str) -> None:
    """Give an image the tag that keeps it, unless it has it.

    Raises:
        RegistryError: the tag is another image's.
    """
    there = to.digest(tag)
    if there not in (None, digest):
        raise RegistryError(
            f"{to.where.name}:{tag} was moved to {there}",
            hint="no tag that begins so is anybody's but gymops'; find out who moved it, and remove it",
        )
    if there is None:
        to.push_manifest(body, media, tag)


def _blobs(body: bytes, digest: str) -> list[Blob]:
    """What a manifest names: configuration and layers."""
    try:
        document: dict[str, Any] = json.loads(body)
        if "manifests" in document:
            raise BuildError(
                f"{digest}: is a list of images for several platforms, and Lambda runs one image",
                hint="build it for one: gymops build --kind image --arch arm64",
            )
        return [Blob("", one["digest"], int(one["size"]), 0) for one in _listed(document)]
    except (ValueError, KeyError, TypeError):
        raise BuildError(
            f"{digest}: no image's manifest", hint="gymops build --kind image makes one"
        ) from None


def _listed(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [document["config"], *document["layers"]]
