"""What was built: its digest, what it holds, and where it came from. Deploying, promoting and returning
to a release all speak of one artefact, by its digest.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from gymops.errors import GymopsError

Kind = Literal["zip", "image"]
Arch = Literal["arm64", "x86_64"]

RECORD = "artefact.json"
"""The record's name, beside the files it describes."""
SCHEMA = 1

_BLOCK = 1 << 20


class ArtefactError(GymopsError):
    """An artefact is not there, cannot be read, or is no longer what its record says."""

    code: ClassVar[str] = "artefact"


@dataclass(frozen=True)
class Blob:
    """One file of the artefact: ``app.zip`` and ``layer.zip``, or an image's configuration and layers."""

    name: str
    digest: str
    """``sha256:...`` of the bytes as they are stored and sent."""
    size: int
    unpacked: int
    """Bytes once unpacked; 0 for what is not packed, or not ours."""

    @property
    def code_sha256(self) -> str:
        """The digest as Lambda writes it: ``CodeSha256``."""
        return base64.b64encode(bytes.fromhex(self.digest.removeprefix("sha256:"))).decode()


@dataclass(frozen=True)
class File:
    """One file inside: its path from the root of what is unpacked."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class Artefact:
    """The record. Two builds with one digest hold the same bytes, whoever made them, where and when.

    An image's digest is its manifest's. A zip has two files, so its digest is that of the list of both:
    see ``digest_of``. What says when and from which commit it was built is no part of any digest.
    """

    digest: str
    kind: Kind
    arch: Arch
    python: str
    """``3.12``: the runtime it needs."""
    app: str
    handler: str
    """``package.module.function``."""
    blobs: tuple[Blob, ...]
    files: tuple[File, ...]
    contents: str
    """Digest of the unpacked files: equal even where another zlib made other bytes of an image's layer."""
    sources: str
    """Digest of the app's own files."""
    lock: str
    """Digest of the lock file its dependencies came from."""
    created: str | None
    """SOURCE_DATE_EPOCH or the last commit's time, in UTC; never the time of the build."""
    commit: str | None = None
    dirty: bool | None = None
    """Whether the sources differ from the commit; None where there is no git."""
    base: str | None = None
    """The image it stands on, ``repository@sha256:...``."""
    pushed: tuple[str, ...] = field(default=())
    """Where it was pushed, each as ``repository@sha256:...``."""

    @property
    def unpacked(self) -> int:
        """Bytes of all files once unpacked, a base image's apart."""
        return sum(file.size for file in self.files)

    @property
    def size(self) -> int:
        """Bytes as stored, a base image's layers included."""
        return sum(blob.size for blob in self.blobs)

    def blob(self, name: str) -> Blob:
        """The blob of that name; KeyError if there is none."""
        for blob in self.blobs:
            if blob.name == name:
                return blob
        raise KeyError(name)

    def as_dict(self, *, files: bool = True) -> dict[str, Any]:
        """For ``artefact.json`` and ``--json``; ``from_dict`` reads it back."""
        document: dict[str, Any] = {"schema": SCHEMA, **asdict(self)}
        document["size"], document["unpacked"] = self.size, self.unpacked
        if not files:
            document["files"] = len(self.files)
        return document

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Artefact:
        """Read a record.

        Raises:
            ArtefactError: it is none, or one of a later gymops.
        """
        if document.get("schema") != SCHEMA:
            raise ArtefactError(
                f"an artefact's record of schema {document.get('schema')!r}; this gymops reads {SCHEMA}",
                hint="build it again: gymops build",
            )
        try:
            values = {name: document[name] for name in cls.__dataclass_fields__}
            values["blobs"] = tuple(Blob(**blob) for blob in values["blobs"])
            values["files"] = tuple(File(**file) for file in values["files"])
            values["pushed"] = tuple(values["pushed"])
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise ArtefactError(
                f"an artefact's record that lacks something: {error}", hint="build it again: gymops build"
            ) from None


def digest_of(kind: Kind, arch: Arch, python: str, handler: str, blobs: tuple[Blob, ...]) -> str:
    """The digest of what has no manifest: of kind, platform, handler and the digests of its files."""
    listed = [{"name": blob.name, "digest": blob.digest, "size": blob.size} for blob in blobs]
    document = {"kind": kind, "arch": arch, "python": python, "handler": handler, "blobs": listed}
    return sha256(canonical(document))


def contents_of(files: tuple[File, ...] | list[File]) -> str:
    """The digest of a tree: every path with its content's digest, in the order of paths."""
    lines = (f"{file.path}\0{file.digest}\n" for file in sorted(files, key=lambda file: file.path))
    return sha256("".join(lines).encode())


def canonical(document: Any) -> bytes:
    """JSON with one spelling, so that it can be hashed."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(data: bytes) -> str:
    """``sha256:...``."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def sha256_file(path: Path) -> str:
    """``sha256:...`` of a file, read in pieces."""
    running = hashlib.sha256()
    for piece in pieces(path):
        running.update(piece)
    return f"sha256:{running.hexdigest()}"


def pieces(path: Path) -> Iterator[bytes]:
    """A file in pieces of a megabyte."""
    with path.open("rb") as file:
        while piece := file.read(_BLOCK):
            yield piece


def load(folder: Path) -> Artefact:
    """The artefact in a folder that ``gymops build`` made.

    Raises:
        ArtefactError: there is none, or its record cannot be read.
    """
    file = folder / RECORD
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no JSON"
        raise ArtefactError(f"{file}: {why}", hint="gymops build makes one") from None
    return Artefact.from_dict(cast("dict[str, Any]", document if isinstance(document, dict) else {}))


def verify(folder: Path) -> Artefact:
    """The artefact in a folder, after reading every byte of it again.

    Raises:
        ArtefactError: a file is missing or is not what the record says.
    """
    artefact = load(folder)
    for blob in artefact.blobs:
        path = folder / location(artefact.kind, blob)
        if artefact.kind == "image" and blob.name.startswith("base-") and not path.exists():
            continue  # a base image's layers are left out where a registry has them
        try:
            found = sha256_file(path)
        except OSError as error:
            raise ArtefactError(f"{path}: {error.strerror}", hint="build it again: gymops build") from None
        if found != blob.digest:
            raise ArtefactError(f"{path}: is not what was built", hint="build it again: gymops build")
    return artefact


def location(kind: Kind, blob: Blob) -> str:
    """Where a blob lies in its folder: by name, or as in an OCI image layout."""
    return blob.name if kind == "zip" else f"blobs/{blob.digest.replace(':', '/')}"
