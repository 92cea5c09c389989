"""An image into a registry: what it or a neighbour has is not sent, and the manifest comes last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gymops.deploy.artefact import Blob, sha256_file
from gymops.deploy.build.failures import written
from gymops.deploy.build.image import MANIFEST, Image
from gymops.deploy.build.registry import Repository
from gymops.deploy.build.transfer import send

Tell = Callable[[str], None]


class Layers:
    """The base's layers, fetched when somebody needs their bytes, and kept for the next build."""

    def __init__(self, source: Repository, cache: Path) -> None:
        self.source = source
        self._folder = cache / "blobs"

    def file(self, blob: Blob) -> Path:
        """Where the layer lies, whole.

        Raises:
            RegistryError: the base's registry does not give it.
        """
        path = self._folder / blob.digest.removeprefix("sha256:")
        with written(path, "--cache"):
            self._folder.mkdir(parents=True, exist_ok=True)
            if path.exists() and sha256_file(path) == blob.digest:
                return path
        self.source.download(blob.digest, path)
        return path


def push(image: Image, layout: Path, layers: Layers, to: Repository, tell: Tell) -> str:
    """Send what is missing; ``repository@sha256:...``. Until the manifest, the last, nothing is to be seen.

    Raises:
        RegistryError: the registry refuses or fails; run again, it goes on where it ended.
    """
    for blob in image.blobs:
        if blob.name == "manifest" or to.has(blob.digest):
            continue
        if blob.name.startswith("base-"):
            same = layers.source.where.host == to.where.host
            if same and to.mount(blob.digest, layers.source.where.repository):
                continue
            file = layers.file(blob)
        else:
            file = layout / "blobs" / blob.digest.replace(":", "/")
        tell(f"sending {blob.size / 1e6:,.1f} MB to {to.where.name}")
        send(blob, file, to)
    digest = to.push_manifest(image.manifest, MANIFEST, to.where.tag)
    return f"{to.where.name}@{digest}"
