"""The folder artefacts are kept in, one folder each, named for its digest: there whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gymops.deploy.artefact import RECORD, Artefact, ArtefactError, verify
from gymops.deploy.build.failures import written

_PREFIX = ".building-"
_STALE = 24 * 3600
"""Seconds after which what a killed build left is nobody's any more."""


@contextmanager
def workshop(out: Path) -> Iterator[Path]:
    """A folder to build in, gone afterwards whatever happens."""
    with written(out):
        out.mkdir(parents=True, exist_ok=True)
        for left in out.glob(f"{_PREFIX}*"):
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
    with written(out):
        write_record(folder, artefact)
        folder.chmod(0o755)
        try:
            verify(final)
        except ArtefactError:
            shutil.rmtree(final, ignore_errors=True)
            try:
                folder.rename(final)
            except OSError:
                verify(final)  # another build of the same was faster
            return final
        for piece in folder.rglob("*"):  # such as a base's layers, which a push had done without
            there = final / piece.relative_to(folder)
            if piece.is_file() and not there.exists():
                piece.replace(there)
        write_record(final, artefact)
    return final


def place(out: Path, digest: str) -> Path:
    """Where an artefact is kept."""
    return out / digest.removeprefix("sha256:")[:20]


def write_record(folder: Path, artefact: Artefact) -> None:
    """Write ``artefact.json``, whole or not at all."""
    text = json.dumps(artefact.as_dict(), indent=1, ensure_ascii=False) + "\n"
    new = folder / f".{RECORD}"
    new.write_text(text, encoding="utf-8")
    new.replace(folder / RECORD)
