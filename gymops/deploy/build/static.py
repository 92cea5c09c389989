"""Static files on their way into an artefact: one archive of them, and the list that says what each is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gymops.config import App
from gymops.deploy.artefact import Blob, File, Kind, location, sha256
from gymops.deploy.build import secrets, sources
from gymops.deploy.build.entry import Entry
from gymops.deploy.build.failures import BuildError, written
from gymops.deploy.build.limits import megabytes
from gymops.deploy.build.pack import Packed, write_zip
from gymops.deploy.build.patterns import matches
from gymops.deploy.static import (
    ARCHIVE,
    ASK,
    FOREVER,
    MANIFEST,
    Manifest,
    StaticFile,
    content_type,
    named_by_content,
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = 1024
"""Bytes of a key in S3."""
_MOST = 512 * 1024 * 1024
"""Bytes of all static files together: they are read at once, and copied with every promotion."""


def collect(app: App) -> list[Entry]:
    """Every static file of the app, by the path it is asked for; none if it has no static files.

    Raises:
        BuildError: there are none in the folder it names, too many, or a name that cannot be served.
        GateRefused: one looks like a secret.
    """
    entries = sources.collect_static(app)
    if app.static is None:
        return []
    where = app.static.as_posix()
    if not entries:
        raise BuildError(
            f"{where}: there is no file in it",
            hint="build the pages first, or mend `static` of [app] in gymops.toml",
        )
    named = sorted(
        (replace(one, path=_name(one.path), executable=False) for one in entries), key=lambda one: one.path
    )
    _refuse_alike(named)
    if (size := sum(one.origin.stat().st_size for one in named if one.origin)) > _MOST:
        raise BuildError(
            f"{where}: {megabytes(size)}, and {megabytes(_MOST)} is the most",
            hint="`exclude` in [app] what is large, and serve it from a bucket of its own",
        )
    secrets.refuse([replace(one, path=f"{where}/{one.path}") for one in named], app.not_secret)
    return named


def write(folder: Path, kind: Kind, entries: Sequence[Entry], app: App) -> list[Packed]:
    """Write archive and list where an artefact has them; nothing where there are no static files."""
    if not entries:
        return []
    archive = write_zip(folder / ARCHIVE, entries)
    files = tuple(_file(one, file, app) for one, file in zip(entries, archive.files, strict=True))
    data = Manifest(archive.blob.digest, files).dump()
    manifest = Packed(Blob(MANIFEST, sha256(data), len(data), 0), ())
    with written(folder):
        (folder / MANIFEST).write_bytes(data)
        for blob in (archive.blob, manifest.blob):
            if (at := folder / location(kind, blob)) != folder / blob.name:
                at.parent.mkdir(parents=True, exist_ok=True)
                (folder / blob.name).rename(at)
    listed = tuple(File(f"static/{file.path}", file.size, file.digest) for file in files)
    return [replace(archive, files=listed), manifest]


def _file(entry: Entry, file: File, app: App) -> StaticFile:
    if app.immutable is None:
        forever = named_by_content(entry.path.rpartition("/")[2])
    else:
        forever = matches(f"{app.static and app.static.as_posix()}/{entry.path}", app.immutable)
    cache = FOREVER if forever else ASK
    return StaticFile(file.path, file.digest, file.size, content_type(file.path, entry.read()), cache)


def _name(path: str) -> str:
    """A path as browsers ask for it: composed characters, whatever the disk writes.

    Raises:
        BuildError: it cannot be served.
    """
    found = unicodedata.normalize("NFC", path)
    if _CONTROL.search(found) or len(found.encode()) > _NAME or "\\" in found:
        raise BuildError(f"{path!r}: nothing can be served under this name", hint="rename the file")
    return found


def _refuse_alike(entries: Sequence[Entry]) -> None:
    """Two names a disk may not tell apart would make another artefact on another machine."""
    seen: dict[str, str] = {}
    for one in entries:
        other = seen.setdefault(one.path.casefold(), one.path)
        if other is not one.path:
            raise BuildError(
                f"{other} and {one.path}: names that not every disk tells apart", hint="rename one of them"
            )
