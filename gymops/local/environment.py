"""The emulator's own environment, under the user's cache: made once for each pinned list and Python."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gymops.clock import Clock
from gymops.errors import LocalError
from gymops.pg import process

_PINS = Path(__file__).with_name("requirements.txt")
_NEEDED_BYTES = 250_000_000
_INSTALL_SECONDS = 900.0
# What AWS's own Python runtime offers a function besides the standard library.
_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds the emulator."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def runtime(self) -> Path:
        """The packages that functions find without bringing them."""
        return self.folder / "runtime"


def cache_folder(environ: Mapping[str, str]) -> Path:
    """``$XDG_CACHE_HOME/gymops``, by default ``~/.cache/gymops``."""
    base = environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path there is to be ignored.
    root = Path(base) if base.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".cache"
    return root / "gymops"


def find(environ: Mapping[str, str]) -> Environment:
    """Where the environment is or will be; its name changes with what is in it."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(_PINS.read_bytes() + sys.base_prefix.encode()).hexdigest()[:12]
    return Environment(cache_folder(environ) / f"local-aws-{version}-{digest}")


def ensure(environ: Mapping[str, str], *, clock: Clock) -> tuple[Environment, bool]:
    """The environment, made if it is missing; and whether it was.

    Raises:
        LocalError: it cannot be made: no network, no disk, no rights.
    """
    environment = find(environ)
    if environment.python.exists():
        return environment, False
    cache = environment.folder.parent
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(cache).free
    except OSError as error:
        raise LocalError(
            f"{error.filename or cache}: {error.strerror}",
            hint="point XDG_CACHE_HOME to a folder you may write to",
        ) from error
    if free < _NEEDED_BYTES:
        raise LocalError(
            f"{cache} has {free // 1_000_000} MB free, and the emulator's environment needs"
            f" {_NEEDED_BYTES // 1_000_000} MB",
            hint="make room, or point XDG_CACHE_HOME to another disk",
        )
    with process.locked(cache / f"{environment.folder.name}.lock", clock=clock, timeout=_INSTALL_SECONDS):
        if environment.python.exists():
            return environment, False
        _make(environment, cache)
    return environment, True


def _make(environment: Environment, cache: Path) -> None:
    """Make it beside its place and move it there: half of one is never met."""
    half = Path(tempfile.mkdtemp(prefix=".making-", dir=cache))
    try:
        _run(sys.executable, "-m", "venv", str(half / "env"))
        pip = [str(half / "env" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        _run(
            *pip, "install", "--quiet", "--no-input", "--only-binary", ":all:", "--require-hashes",
            "--requirement", str(_PINS),
        )  # fmt: skip
        _lend_runtime(half / "env")
        # Its programs hold the path they were made under; only its interpreter is used, and that moves.
        (half / "env").rename(environment.folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _lend_runtime(folder: Path) -> None:
    packages = next((folder / "lib").glob("python*/site-packages"))
    runtime = folder / "runtime"
    runtime.mkdir()
    for name in _RUNTIME:
        (runtime / name).symlink_to(os.path.relpath(packages / name, runtime))


def _run(*command: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(
            command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_INSTALL_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise LocalError(
            f"the emulator's environment was not made in {_INSTALL_SECONDS:.0f} s",
            hint="check the network, then run the same command again",
        ) from error
    if done.returncode != 0:
        raise _explain(done.stderr or done.stdout)


def _explain(said: str) -> LocalError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    why = next((line for line in reversed(lines) if line.startswith("ERROR")), (lines or ["no reason"])[-1])
    message = f"the emulator's environment cannot be made: {why.removeprefix('ERROR: ')}"
    if "HASHES" in said or "hashes" in why:
        hint = "the package index gave other files than the pinned ones: check pip's index setting"
    elif "No space left" in said:
        hint = "make room, or point XDG_CACHE_HOME to another disk"
    elif "ensurepip" in said:
        hint = "install the venv package of this Python (Debian: apt install python3-venv)"
    else:
        hint = "it is downloaded once, by pip: check the network and pip's index setting, then run it again"
    return LocalError(message, hint=hint)
