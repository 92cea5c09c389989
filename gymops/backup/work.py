"""Private folders for what passes through; those of killed processes go with the next one's."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "work-"
_LOCK = ".lock"


@contextmanager
def folder(home: Path) -> Iterator[Path]:
    """A new folder in ``home``, gone with the block; whoever holds its lock lives."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(home / _LOCK) as one:  # nobody sweeps between making a folder and locking it
        fcntl.flock(one, fcntl.LOCK_EX)
        _sweep(home)
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
        held = os.open(made / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(held)


def clear(home: Path) -> None:
    """Delete what killed processes left there, and the place itself if nobody is at work in it."""
    if not home.is_dir():
        return
    with _locked(home / _LOCK) as one:
        fcntl.flock(one, fcntl.LOCK_EX)
        _sweep(home)
        if not any(home.glob(f"{_PREFIX}*")):
            (home / _LOCK).unlink()
            home.rmdir()


def held(one: Path) -> bool:
    """Whether whoever made a folder lives."""
    try:
        with _locked(one / _LOCK) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _sweep(home: Path) -> None:
    for left in home.glob(f"{_PREFIX}*"):
        with suppress(OSError), _locked(left / _LOCK) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """A file that can be locked; the lock goes when it is closed."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)
