"""The wheels of a lock, for the target: from the cache, and what is missing from the package index by pip.

pip knows the index, its credentials and proxies as the user set them up; hashes say what it may bring. A
wheel in the cache is used only where its hash is in the lock, so the cache need not be trusted.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from gymops.deploy.artefact import sha256_file
from gymops.deploy.build.failures import BuildError, written
from gymops.deploy.build.lock import Pin
from gymops.deploy.build.target import DEFAULT_PYTHON, Target

Tell = Callable[[str], None]

_PATIENCE = 1800.0
_LOST = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|Max retries|connection broken|ProxyError"
    r"|Temporary failure in name resolution|Network is unreachable|SSLError",
    re.IGNORECASE,
)
_NONE = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+==\S+)")
_WRONG = re.compile(r"DO NOT MATCH THE HASHES", re.IGNORECASE)
_FULL = re.compile(r"No space left|Disk quota exceeded|File too large")
_ADDRESS = re.compile(r"\w+://\S+")


@dataclass(frozen=True)
class Fetched:
    """The wheels, in the order of the lock, and how many of them had to be fetched."""

    wheels: tuple[Path, ...]
    downloaded: int


def fetch(pins: Sequence[Pin], target: Target, cache: Path, tell: Tell) -> Fetched:
    """Every wheel of the lock; a second time without the network.

    Raises:
        BuildError: the index cannot be reached, has no wheel for the target, or another than was locked.
    """
    folder = cache / "wheels" / target.key
    with written(folder, "--cache"):
        folder.mkdir(parents=True, exist_ok=True)
    kept = _kept(pins, folder)
    missing = [pin for pin in pins if pin.name not in kept]
    if missing:
        tell(f"fetching {len(missing)} wheels for {target}")
        _download(missing, target, folder)
        kept |= _kept(missing, folder)
    if lost := [f"{pin.name} {pin.version}" for pin in pins if pin.name not in kept]:
        raise BuildError(
            f"pip brought no wheel of {', '.join(lost)} for {target}", hint="run gymops build again"
        )
    return Fetched(tuple(kept[pin.name] for pin in pins), len(missing))


def _kept(pins: Sequence[Pin], folder: Path) -> dict[str, Path]:
    """Name -> the wheel in the cache whose hash the lock knows."""
    wanted = {(pin.name, Version(pin.version)): pin for pin in pins}
    found: dict[str, Path] = {}
    for wheel in sorted(folder.glob("*.whl")):
        try:
            name, version, *_ = parse_wheel_filename(wheel.name)
        except InvalidWheelFilename:
            continue
        pin = wanted.get((str(canonicalize_name(name)), version))
        if pin and sha256_file(wheel).removeprefix("sha256:") in pin.hashes:
            found.setdefault(pin.name, wheel)
    return found


def _download(pins: Sequence[Pin], target: Target, folder: Path) -> None:
    with (
        written(folder, "--cache"),
        tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as temporary,
    ):
        wanted = Path(temporary, "requirements.txt")
        wanted.write_text("".join(f"{pin.line}\n" for pin in pins), encoding="utf-8")
        brought = Path(temporary, "wheels")
        command = [
            sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check",
            "--progress-bar", "off", "--retries", "2", "--no-deps", "--only-binary", ":all:",
            "--require-hashes", "--requirement", str(wanted), "--dest", str(brought),
            "--implementation", "cp", "--python-version", target.python,
            "--abi", f"cp{target.python.replace('.', '')}", "--abi", "abi3", "--abi", "none",
        ]  # fmt: skip
        for tag in target.tags():
            command += ["--platform", tag]
        _run(command, pins, target)
        for wheel in brought.glob("*.whl"):
            wheel.replace(folder / wheel.name)


def _run(command: list[str], pins: Sequence[Pin], target: Target) -> None:
    # A requirement of the user's own would be fetched too, and one without a hash refused.
    environ = {name: value for name, value in os.environ.items() if name != "PIP_REQUIREMENT"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=_PATIENCE,
            env=environ, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BuildError(
            "the package index is too slow: pip gave no end after half an hour",
            hint="run gymops build again; what arrived is kept",
        ) from None
    if done.returncode:
        raise _failure(done.stdout + done.stderr, pins, target)


def _failure(said: str, pins: Sequence[Pin], target: Target) -> BuildError:
    """pip's report, as the one thing to know and the one to do."""
    listed = ", ".join(f"{pin.name} {pin.version}" for pin in pins[:8]) + (" ..." if len(pins) > 8 else "")
    if "No module named pip" in said:
        return BuildError(
            f"{sys.executable} has no pip, which fetches the wheels", hint=f"{sys.executable} -m ensurepip"
        )
    if _WRONG.search(said):
        return BuildError(
            "the package index gave a file with another hash than was locked",
            hint="find out why before you lock anew: someone may have replaced it",
        )
    if _FULL.search(said):
        return BuildError("no space is left for the wheels", hint="free some, or name another with --cache")
    if _LOST.search(said):
        return BuildError(
            f"the package index cannot be reached, and the cache lacks {len(pins)} wheels: {listed}",
            hint="run it once with the network, or set pip's index (pip config list); then it works without",
        )
    if none := _NONE.search(said):
        old = target.glibc < 28
        return BuildError(
            f"the package index has no wheel of {none[1]} that the lock knows for {target}",
            hint=f"AWS's runtime of Python {target.python} has an old C library: --python {DEFAULT_PYTHON}"
            if old
            else "another --python or --arch, or lock again; nothing is compiled here",
        )
    last = [line for line in said.splitlines() if line.startswith("ERROR")] or said.splitlines()[-1:] or ["?"]
    message = _ADDRESS.sub("(address)", last[0].removeprefix("ERROR: "))[:300]
    return BuildError(f"pip: {message}", hint="python -m pip config list shows where pip looks")
