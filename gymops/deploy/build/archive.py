"""An image that somebody else built, of any language: an OCI archive is taken as it is, by its digest.

Of an archive of several platforms the one that is asked for is taken. Every byte is compared with its digest.
"""

from __future__ import annotations

import json
import lzma
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from gymops.config import App
from gymops.deploy.artefact import Arch, Artefact, Blob, canonical, contents_of, location, sha256_file
from gymops.deploy.build import Built, Places, keep, origin, store
from gymops.deploy.build.failures import BuildError, written
from gymops.deploy.build.image import INDEX, MANIFEST
from gymops.deploy.build.target import PLATFORMS, Target

_HINT = (
    "docker buildx build --provenance=false --output type=oci,dest=FILE, or buildah push to oci-archive:FILE"
)
_LARGEST = 1 << 22
"""Bytes of a document: manifest, list or configuration."""
_CUT = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


def build_archive(app: App, arch: Arch | None, places: Places) -> Built:
    """The image of an archive, as every other one lies among the artefacts.

    Raises:
        BuildError: it is none, is damaged, or is for another platform.
    """
    if app.archive is None:
        raise AssertionError("it was asked for")
    file, arch = app.source / app.archive, arch or Target.host().arch
    with _opened(file) as archive, store.workshop(places.out) as folder:
        digest = _chosen(archive, arch, file)
        manifest = archive.document(digest)
        if manifest.get("mediaType", MANIFEST) != MANIFEST:
            raise BuildError(f"{file}: its manifest is {manifest['mediaType']}, and none of OCI", hint=_HINT)
        try:
            layers, config = manifest["layers"], manifest["config"]
            named = [(f"layer-{at}", one["digest"]) for at, one in enumerate(layers)]
            named += [("config", config["digest"]), ("manifest", digest)]
        except (KeyError, TypeError):
            raise BuildError(f"{file}: no image", hint=_HINT) from None
        _check(archive.document(config["digest"]), arch, file)
        blobs = tuple(_taken(archive, folder, name, one, file) for name, one in named)
        described = {"mediaType": MANIFEST, "digest": digest, "size": blobs[-1].size}
        with written(folder):
            (folder / "oci-layout").write_bytes(canonical({"imageLayoutVersion": "1.0.0"}))
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]}
            (folder / "index.json").write_bytes(canonical(index))
        made = origin.find(app.source, ["."], places.environ)
        artefact = Artefact(
            digest=digest, kind="image", arch=arch, python="", app=app.name, handler="", blobs=blobs,
            files=(), contents=contents_of(()), sources="", lock="", created=made.created, commit=made.commit,
            dirty=made.dirty,
        )  # fmt: skip
        kept = keep(folder, artefact, places)
    return Built(artefact, kept)


class _Archive:
    """The files of an OCI layout, in a tar or a folder."""

    def __init__(self, file: Path, tar: tarfile.TarFile | None) -> None:
        self._file = file
        self._tar = tar
        # Names are looked up and never written to: what lies elsewhere in it is nobody's business.
        self._members = {one.name.removeprefix("./"): one for one in tar or () if one.isfile()}

    def open(self, name: str) -> IO[bytes]:
        found: IO[bytes] | None = None
        if self._tar is not None:
            member = self._members.get(name)
            found = self._tar.extractfile(member) if member else None
        elif (self._file / name).is_file():
            found = (self._file / name).open("rb")
        if found is None:
            raise BuildError(f"{self._file}: no OCI archive: there is no {name}", hint=_HINT)
        return found

    def document(self, digest: str) -> dict[str, Any]:
        """A small JSON blob, or ``index.json``."""
        name = digest if digest == "index.json" else _where(digest)
        with self.open(name) as file:
            try:
                found = json.loads(file.read(_LARGEST))
            except ValueError:
                raise BuildError(f"{self._file}: {name} is no JSON", hint=_HINT) from None
        if not isinstance(found, dict):
            raise BuildError(f"{self._file}: {name} is no object", hint=_HINT)
        return found


@contextmanager
def _opened(file: Path) -> Iterator[_Archive]:
    if file.is_dir():
        yield _Archive(file, None)
        return
    try:
        tar = tarfile.open(file)  # noqa: SIM115 - closed below
    except FileNotFoundError:
        raise BuildError(f"{file}: is not there", hint=f"build it before: {_HINT}") from None
    except (OSError, *_CUT) as error:
        raise BuildError(f"{file}: cannot be read: {error}", hint=_HINT) from None
    with tar:
        try:
            found = _Archive(file, tar)  # by this everything has been read once
        except (OSError, *_CUT) as error:
            raise BuildError(f"{file}: cannot be read to its end: {error}", hint="build it again") from None
        yield found


def _chosen(archive: _Archive, arch: Arch, file: Path) -> str:
    """The digest of the manifest for our platform; lists are gone through, attestations are for none."""
    todo, found = ["index.json"], []
    while todo:
        for one in archive.document(todo.pop()).get("manifests", []):
            platform = one.get("platform") or {}
            if one.get("mediaType") == INDEX:
                todo.append(one["digest"])
            elif not platform or (platform.get("os"), platform.get("architecture")) == (
                "linux", PLATFORMS[arch],
            ):  # fmt: skip
                found.append(str(one["digest"]))
    if len(set(found)) != 1:
        many = f"{len(set(found))} images" if found else "no image"
        raise BuildError(f"{file}: has {many} for linux/{PLATFORMS[arch]}, and one is released", hint=_HINT)
    return found[0]


def _check(config: dict[str, Any], arch: Arch, file: Path) -> None:
    platform = (config.get("os"), config.get("architecture"))
    if platform != ("linux", PLATFORMS[arch]):
        raise BuildError(
            f"{file}: is for {'/'.join(map(str, platform))}, and linux/{PLATFORMS[arch]} is released",
            hint=f"build it with --platform linux/{PLATFORMS[arch]}, or name the other with --arch",
        )


def _taken(archive: _Archive, folder: Path, name: str, digest: str, file: Path) -> Blob:
    blob = Blob(name, digest, 0, 0)
    target = folder / location("image", blob)
    with archive.open(_where(digest)) as source, written(folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
    if sha256_file(target) != digest:
        raise BuildError(f"{file}: {digest} is damaged", hint="build it again")
    return Blob(name, digest, target.stat().st_size, 0)


def _where(digest: str) -> str:
    algorithm, _, rest = str(digest).partition(":")
    if algorithm != "sha256" or len(rest) != 64 or not rest.isalnum():
        raise BuildError(f"{str(digest)[:80]!r} is no digest", hint=_HINT)
    return f"blobs/sha256/{rest}"
