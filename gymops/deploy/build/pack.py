"""Files into a zip or an image's layer, to the same bytes each time.

Paths are sorted; times, owners and what a umask does are left out. A zip is the same on every machine. An
image's layer is compressed here, and another zlib may make other bytes of it: hence the digest of the
contents, which an artefact has beside its own.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from gymops.deploy.artefact import Blob, File, sha256, sha256_file
from gymops.deploy.build.entry import Entry
from gymops.deploy.build.failures import written
from gymops.deploy.build.zipping import ZipWriter

_LEVEL = 6  # 9 takes three times as long for a hundredth


@dataclass(frozen=True)
class Packed:
    """A packed file, what it holds, and for a layer the digest of the tar inside."""

    blob: Blob
    files: tuple[File, ...]
    diff_id: str = ""


def write_zip(path: Path, entries: Iterable[Entry]) -> Packed:
    """A zip as Lambda takes it."""
    files = []
    with written(path), path.open("wb") as file:
        writer = ZipWriter(file)
        for entry in sorted(entries, key=lambda entry: entry.path):
            data = entry.read()
            writer.add(entry, data)
            files.append(File(entry.path, len(data), sha256(data)))
        writer.end()
    return _packed(path, files)


def write_layer(path: Path, entries: Iterable[Entry]) -> Packed:
    """A layer of an image: a tar, packed with gzip. Folders are in it, so that any account may enter them."""
    files = []
    folders: set[PurePosixPath] = set()
    with written(path), path.open("wb") as file, gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed:
        hashing = _Hashing(packed)
        with tarfile.open(
            fileobj=cast("IO[bytes]", hashing), mode="w|", format=tarfile.PAX_FORMAT
        ) as archive:
            for entry in sorted(entries, key=lambda entry: entry.path):
                for folder in reversed(PurePosixPath(entry.path).parents[:-1]):
                    if folder not in folders:
                        folders.add(folder)
                        archive.addfile(_member(str(folder), 0o755, tarfile.DIRTYPE))
                data = entry.read()
                archive.addfile(_member(entry.path, entry.mode, tarfile.REGTYPE, len(data)), io.BytesIO(data))
                files.append(File(entry.path, len(data), sha256(data)))
    return _packed(path, files, f"sha256:{hashing.sha256.hexdigest()}")


def _member(name: str, mode: int, kind: bytes, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode, member.type, member.size = mode, kind, size
    return member


def _packed(path: Path, files: list[File], diff_id: str = "") -> Packed:
    unpacked = sum(file.size for file in files)
    blob = Blob(path.name, sha256_file(path), path.stat().st_size, unpacked)
    return Packed(blob, tuple(files), diff_id)


class _Hashing:
    """Passes on what is written, and hashes it on the way."""

    def __init__(self, target: Any) -> None:
        self._target = target
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self._target.write(data)
        return len(data)
