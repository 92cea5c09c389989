"""A repository of images in memory: by the distribution API and by ECR's own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gymops.deploy.artefact import Blob, sha256
from gymops.deploy.build.failures import RegistryError
from gymops.deploy.build.reference import Reference
from gymops.deploy.verbs.site import Images

if TYPE_CHECKING:
    from tests.unit.deploy.verbs.world import World


@dataclass
class Repository:
    """One of a world's; what changes it is an effect there."""

    world: World
    uri: str
    lifecycle: str | None = None
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    """Tag -> digest."""
    frozen: set[str] = field(default_factory=set)
    """Tags that cannot be moved."""

    @property
    def images(self) -> Images:
        return Images(self, lambda: self)

    @property
    def where(self) -> Reference:
        return Reference.parse(self.uri)

    def policy(self) -> str | None:
        return self.lifecycle

    def tags(self) -> dict[str, frozenset[str]]:
        return {
            digest: frozenset(tag for tag, found in self.named.items() if found == digest)
            for digest in self.manifests
        }

    def manifest(self, wanted: str | None = None) -> tuple[bytes, str]:
        digest = self.digest(str(wanted))
        if digest is None:
            raise RegistryError(f"{self.uri}: is not there", status=404)
        return self.manifests[digest]

    def digest(self, wanted: str) -> str | None:
        found = self.named.get(wanted, wanted)
        return found if found in self.manifests else None

    def has(self, digest: str) -> bool:
        return digest in self.blobs

    def mount(self, digest: str, source: str) -> bool:
        return False

    def download(self, digest: str, to: Path) -> None:
        to.write_bytes(self.blobs[digest])

    def push_blob(self, blob: Blob, file: Path) -> None:
        data = file.read_bytes()
        assert sha256(data) == blob.digest
        self.world.effect("blob", lambda: self.blobs.update({blob.digest: data}))

    def push_manifest(self, body: bytes, media_type: str, tag: str | None = None) -> str:
        document = json.loads(body)
        assert {one["digest"] for one in (document["config"], *document["layers"])} <= set(self.blobs)
        if tag in self.frozen:
            raise RegistryError(f"{self.uri}: the tag {tag} cannot be moved", status=400)
        digest = sha256(body)

        def put() -> None:
            self.manifests[digest] = (body, media_type)
            if tag:
                self.named[tag] = digest

        self.world.effect(f"tag {tag}", put)
        return digest
