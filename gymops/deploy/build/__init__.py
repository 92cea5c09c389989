"""Building an artefact: the same sources and lock give the same digest, whoever builds, where and when.

sources -> no secrets -> wheels by hash -> packed -> recorded; an image is then put on its base and sent.
Older artefacts are swept away at the end.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gymops.config import App
from gymops.deploy.artefact import Arch, Artefact, Kind, contents_of, digest_of, location, sha256, sha256_file
from gymops.deploy.build import limits, lock, origin, secrets, sources, static, store, unpack, wheels
from gymops.deploy.build.entry import Entry, under
from gymops.deploy.build.failures import BuildError, written
from gymops.deploy.build.pack import Packed, write_layer, write_zip
from gymops.deploy.build.target import DEFAULT_PYTHON, Target

if TYPE_CHECKING:
    from gymops.deploy.build.image import Base
    from gymops.deploy.build.registry import Repository
    from gymops.deploy.build.tools import Tool

__all__ = ["BuildError", "Built", "Places", "build_image", "build_zip"]

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Places:
    """Where artefacts go, where wheels and layers are kept, and the environment."""

    out: Path
    cache: Path
    environ: Mapping[str, str]
    tell: Tell
    newest: int | None = None
    """How many artefacts of each app, kind and architecture stay; None: all."""


@dataclass(frozen=True)
class Built:
    """An artefact, the folder it lies in, and what to know of it."""

    artefact: Artefact
    folder: Path
    downloaded: int = 0
    """Wheels that were not in the cache."""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class _Parts:
    target: Target
    app: list[Entry]
    packages: list[Entry]
    static: list[Entry]
    sources: str
    lock: str
    downloaded: int


def build_zip(app: App, arch: Arch | None, places: Places, *, python: str | None = None) -> Built:
    """A zip of the application and one of its dependencies, for a Lambda with a layer.

    Without ``arch`` it is for this machine and this Python, as the local AWS runs it.

    Raises:
        BuildError: it cannot be built; nothing is left of it.
        GateRefused: something in it looks like a secret.
    """
    target = Target.of("zip", arch, python or app.python or DEFAULT_PYTHON) if arch else Target.host()
    parts = _gather(app, "zip", target, places)
    with store.workshop(places.out) as folder:
        packed = [
            write_zip(folder / "app.zip", parts.app),
            write_zip(folder / "layer.zip", under("python", parts.packages)),
        ]
        notes = limits.check_zip(packed)
        packed += static.write(folder, "zip", parts.static, app)
        blobs = tuple(one.blob for one in packed)
        digest = digest_of("zip", target.arch, target.python, app.handler, blobs)
        artefact = _record(app, parts, packed, places, kind="zip", digest=digest, blobs=blobs)
        kept = keep(folder, artefact, places)
    return Built(artefact, kept, parts.downloaded, tuple(notes))


def build_image(
    app: App,
    arch: Arch,
    places: Places,
    *,
    base: Repository,
    to: Repository | None = None,
    python: str | None = None,
    tool: Tool | None = None,
) -> Built:
    """An image of a base and one layer, as an OCI layout, and in a registry where one is named.

    Raises:
        BuildError, GateRefused: as ``build_zip``; also where the base is for another platform or Python.
        RegistryError: a registry refuses or fails.
    """
    from gymops.deploy.build import image as images
    from gymops.deploy.build.push import Layers, push
    from gymops.deploy.build.tools import build_and_push

    found = images.find_base(base, arch)
    target = Target.of("image", arch, _python(found, app, python))
    parts = _gather(app, "image", target, places)
    with store.workshop(places.out) as folder:
        packed = write_layer(folder / "layer", _rooted(parts))
        image = images.compose(found, packed, app)
        images.write_layout(folder, image, folder / "layer")
        layers = Layers(base, places.cache)
        digest, blobs = image.digest, image.blobs
        pushed: tuple[str, ...] = ()
        if to and tool:
            layer = folder / location("image", packed.blob)
            told = places.tell
            digest = build_and_push(tool, image, layer, base=found, arch=arch, to=to.where, tell=told)
            pushed = (f"{to.where.name}@{digest}",)
            blobs = (packed.blob,)  # the rest of that image is the tool's
        elif to:
            pushed = (push(image, folder, layers, to, places.tell),)
        else:
            for blob in image.blobs:
                if blob.name.startswith("base-"):
                    with written(folder):
                        shutil.copyfile(layers.file(blob), folder / location("image", blob))
        pages = static.write(folder, "image", parts.static, app)
        blobs += tuple(one.blob for one in pages)
        known = {"kind": "image", "digest": digest, "blobs": blobs, "pushed": pushed}
        named = f"{base.where.name}@{base.where.digest}"
        artefact = _record(app, parts, [packed, *pages], places, base=named, **known)
        kept = keep(folder, artefact, places)
    return Built(artefact, kept, parts.downloaded)


def _gather(app: App, kind: Kind, target: Target, places: Places) -> _Parts:
    """The application's files, looked through for secrets, and those of its dependencies."""
    without = [*app.without, *(app.zip_without if kind == "zip" else ())]
    entries = sources.collect(app)
    secrets.refuse(entries, app.not_secret)
    pages = static.collect(app)
    pins = lock.read(app.lock, target, without)
    fetched = wheels.fetch(pins, target, places.cache, places.tell)
    unpack.check_whole(fetched.wheels, target, without)
    listed = "".join(f"{one.path}\0{one.mode:o}\0{sha256(one.read())}\n" for one in [*entries, *pages])
    return _Parts(
        target,
        entries,
        unpack.entries(fetched.wheels, target),
        pages,
        sha256(listed.encode()),
        sha256_file(app.lock),
        fetched.downloaded,
    )


def _record(app: App, parts: _Parts, packed: list[Packed], places: Places, **known: Any) -> Artefact:
    files = tuple(file for one in packed for file in one.files)
    parts_of_source = sorted({entry.path.split("/")[0] for entry in parts.app})
    if parts.static:
        parts_of_source.append(str(app.static))
    made = origin.find(app.source, parts_of_source, places.environ)
    return Artefact(
        **known,
        arch=parts.target.arch,
        python=parts.target.python,
        app=app.name,
        handler=app.handler,
        files=files,
        contents=contents_of(files),
        sources=parts.sources,
        lock=parts.lock,
        created=made.created,
        commit=made.commit,
        dirty=made.dirty,
    )


def keep(folder: Path, artefact: Artefact, places: Places) -> Path:
    """Put an artefact where it is kept, and make room."""
    kept = store.keep(folder, artefact, places.out)
    if places.newest and (removed := store.sweep(places.out, places.newest, kept)):
        places.tell(f"removed {len(removed)} artefacts older than the last {places.newest} of their kind")
    return kept


def _rooted(parts: _Parts) -> list[Entry]:
    """The files where the image has them."""
    from gymops.deploy.build.image import APP, PACKAGES

    return under(APP, parts.app) + under(PACKAGES, parts.packages)


def _python(base: Base, app: App, python: str | None) -> str:
    wanted = python or app.python
    if wanted and base.python and wanted != base.python:
        raise BuildError(
            f"{base.reference}: has Python {base.python}, and {wanted} is built for",
            hint=f"--python {base.python}, or another base",
        )
    return wanted or base.python or DEFAULT_PYTHON
