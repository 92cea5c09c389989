"""Static files as a release has them: what each is called and holds, and how long a cache may keep it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, ClassVar
from urllib.parse import quote

from gymops.deploy.artefact import Artefact, ArtefactError, canonical

MANIFEST, ARCHIVE = "static.json", "static.zip"
"""The parts of an artefact: what the files are, and what they hold."""

FOREVER = "public, max-age=31536000, immutable"
"""For what is called by its content: another content has another name."""
ASK = "no-cache"
"""For everything else: kept, and asked for again each time."""

_UTF_8 = "; charset=utf-8"
_TEXTS = {
    "html": "text/html", "htm": "text/html", "css": "text/css", "js": "text/javascript",
    "mjs": "text/javascript", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv",
    "xml": "application/xml", "vtt": "text/vtt", "ics": "text/calendar",
}  # fmt: skip
_OTHERS = {
    "json": "application/json", "map": "application/json", "webmanifest": "application/manifest+json",
    "jsonld": "application/ld+json", "geojson": "application/geo+json", "wasm": "application/wasm",
    "pdf": "application/pdf", "zip": "application/zip", "gz": "application/gzip",
    "atom": "application/atom+xml", "rss": "application/rss+xml",
    "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
    "webp": "image/webp", "avif": "image/avif", "ico": "image/vnd.microsoft.icon", "bmp": "image/bmp",
    "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf",
    "mp3": "audio/mpeg", "m4a": "audio/mp4", "ogg": "audio/ogg", "wav": "audio/wav",
    "mp4": "video/mp4", "webm": "video/webm",
}  # fmt: skip
"""Fixed: what a machine's own list of types says is no part of a release."""
_NAMED = {"apple-app-site-association": "application/json"}

_PAGES = frozenset({"html", "htm", "webmanifest"})
_WORKERS = frozenset({"sw.js", "service-worker.js", "serviceworker.js", "firebase-messaging-sw.js"})

_HASH = re.compile(r"(?:^|[.~_-])([0-9A-Za-z]{8,64})(?:\.[A-Za-z0-9]{1,12}){1,3}$")
_KINDS = tuple(
    re.compile(kind)
    for kind in (
        r"[0-9a-f]{8,64}",
        r"[A-Z2-7]{8}",
        r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])(?!.*(?:[a-z]{4}|[A-Z]{4})).{8}",
    )
)
"""Hexadecimal, base 32, and base 64 without words."""

_MANY = 15
"""Paths in a folder above which the folder is cleared whole; CloudFront takes as many folders at a time."""
_MOST = 3_000
"""Paths CloudFront takes at a time."""


@dataclass(frozen=True)
class StaticFile:
    """One file, under the path it is asked for."""

    path: str
    digest: str
    """``sha256:...``."""
    size: int
    type: str
    """Its Content-Type."""
    cache: str
    """Its Cache-Control."""

    @property
    def immutable(self) -> bool:
        """Whether another content would have another name."""
        return self.cache == FOREVER

    @property
    def entry(self) -> bool:
        """Whether it leads to others, and so has to come after them."""
        path = PurePosixPath(self.path)
        return path.suffix[1:].lower() in _PAGES or path.name.lower() in _WORKERS


@dataclass(frozen=True)
class Manifest:
    """The static files of an artefact, by path, and the archive that holds them."""

    SCHEMA: ClassVar[int] = 1

    archive: str
    """``sha256:...``."""
    files: tuple[StaticFile, ...]

    @cached_property
    def paths(self) -> frozenset[str]:
        """What the files are called."""
        return frozenset(file.path for file in self.files)

    def dump(self) -> bytes:
        """As it is stored, with one spelling."""
        files = [asdict(file) for file in self.files]
        return canonical({"schema": self.SCHEMA, "archive": self.archive, "files": files}) + b"\n"

    @classmethod
    def load(cls, data: bytes) -> Manifest:
        """Read one.

        Raises:
            ArtefactError: it is none, or of a later gymops.
        """
        try:
            document: dict[str, Any] = json.loads(data)
            if document["schema"] != cls.SCHEMA:
                raise ArtefactError(
                    f"static files of schema {document['schema']!r}, and this gymops reads {cls.SCHEMA}",
                    hint="pip install --upgrade gymops",
                )
            return cls(document["archive"], tuple(StaticFile(**one) for one in document["files"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ArtefactError(
                f"a list of static files that cannot be read: {error}", hint="build and deploy it again"
            ) from None


def listed(artefact: Artefact) -> str | None:
    """The digest of the list of an artefact's static files; None if it has none."""
    return next((blob.digest for blob in artefact.blobs if blob.name == MANIFEST), None)


def content_type(path: str, data: bytes) -> str:
    """By its name; that a text is UTF-8 is said where it is."""
    name = PurePosixPath(path)
    ending = name.suffix[1:].lower()
    if text := _TEXTS.get(ending):
        return text + _UTF_8 if _is_utf_8(data) else text
    return _OTHERS.get(ending) or _NAMED.get(name.name) or "application/octet-stream"


def named_by_content(name: str) -> bool:
    """Whether a name has a content's hash in it, as bundlers write it: ``main.8e0d62a5.js``.

    A word or a number is no hash. Where it cannot be told the answer is no, which costs a request each time
    and shows nobody anything old.
    """
    found = _HASH.search(name)
    if found is None:
        return False
    runs = re.findall(r"[A-Za-z]+|[0-9]+", text := found[1])  # of ``facade2020`` or ``IPHONE12``: two
    return len(runs) > 2 and any(kind.fullmatch(text) for kind in _KINDS)


def invalidations(paths: Iterable[str]) -> list[str]:
    """What CloudFront is to forget, for files that changed under their names.

    A folder's ``index.html`` goes with the folder. More than 15 of one folder are cleared with the folder.
    """
    folders: dict[str, set[str]] = defaultdict(set)
    for url in (f"/{path}" for path in paths):
        folder = url[: url.rindex("/") + 1]
        folders[folder] |= {url, folder} if url.endswith("/index.html") else {url}
        while folder != "/":
            folders[folder := _above(folder)] |= set()
    for folder in sorted(folders, key=lambda one: -one.count("/")):
        if len(folders[folder]) > _MANY:
            for below in [one for one in folders if one.startswith(folder)]:
                del folders[below]
            folders[_above(folder)].add(f"{folder}*")
    found = sorted(url for urls in folders.values() for url in urls)
    if len(found) > _MOST or sum(url.endswith("/*") for url in found) > _MANY:
        return ["/*"]
    return [quote(url, safe="/!$&'()*+,;=:@~") for url in found]


def _above(folder: str) -> str:
    return folder[: folder.rindex("/", 0, -1) + 1] if folder != "/" else folder


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
