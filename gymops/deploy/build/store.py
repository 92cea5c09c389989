"""The folder artefacts are kept in, one folder each, named for its digest: there whole or not at all."""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from gymops.deploy.artefact import RECORD, Artefact, ArtefactError, load, verify
from gymops.deploy.build.failures import written

KEEP = "keep"
"""A file of this name in an artefact's folder keeps it from being swept."""
_PREFIX = ".building-"
_STALE = 24 * 3600
"""Seconds after which what a killed build left is nobody's any more."""


@contextmanager
def workshop(out: Path) -> Iterator[Path]:
    """A folder to build in, gone afterwards whatever happens."""
    with written(out):
        out.mkdir(parents=True, exist_ok=True)
        for left in out.glob(f"{_PREFIX}*"):
            with suppress(FileNotFoundError):  # another build ended meanwhile
                if time.time() - left.stat().st_mtime > _STALE:
                    shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=out))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep(folder: Path, artefact: Artefact, out: Path) -> Path:
    """Move what was built to where it is kept; where that is. The same artefact may be there already."""
    final = place(out, artefact.digest)
    with written(out), _alone(out):
        write_record(folder, artefact)
        folder.chmod(0o755)
        try:
            there = verify(final)
        except ArtefactError:
            _remove(final)
            folder.rename(final)
            return final
        for piece in folder.rglob("*"):  # such as a base's layers, which a push had done without
            at = final / piece.relative_to(folder)
            if piece.is_file() and not at.exists():
                piece.replace(at)
        pushed = tuple(dict.fromkeys([*there.pushed, *artefact.pushed]))
        write_record(final, replace(artefact, pushed=pushed))
    return final


def sweep(out: Path, newest: int, spare: Path) -> list[Path]:
    """Remove all but the newest artefacts of each app, kind and architecture; those that were removed.

    One with a file named ``keep`` in its folder stays, whatever its age, and so do ``spare`` and what is no
    artefact. The age is that of the record, which is written each time the artefact is built.
    """
    groups: dict[tuple[str, str, str], list[tuple[float, Path]]] = defaultdict(list)
    with written(out), _alone(out):
        for folder in out.iterdir():
            with suppress(ArtefactError, OSError):
                artefact = load(folder)
                if folder == place(out, artefact.digest):
                    age = (folder / RECORD).stat().st_mtime
                    groups[artefact.app, artefact.kind, artefact.arch].append((age, folder))
        old = [folder for found in groups.values() for _, folder in sorted(found, reverse=True)[newest:]]
        removed = [folder for folder in old if folder != spare and not (folder / KEEP).exists()]
        for folder in removed:
            _remove(folder)
    return removed


def place(out: Path, digest: str) -> Path:
    """Where an artefact is kept."""
    return out / digest.removeprefix("sha256:")[:20]


def write_record(folder: Path, artefact: Artefact) -> None:
    """Write ``artefact.json``, whole or not at all."""
    text = json.dumps(artefact.as_dict(), indent=1, ensure_ascii=False) + "\n"
    new = folder / f".{RECORD}"
    new.write_text(text, encoding="utf-8")
    new.replace(folder / RECORD)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """One build at a time moves folders; the lock goes with its process, however that ends."""
    with (out / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove(folder: Path) -> None:
    """Out of sight first: half a folder never stands where a whole one is looked for."""
    if folder.exists():
        aside = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder.parent))
        folder.rename(aside / folder.name)
        shutil.rmtree(aside, ignore_errors=True)
