"""A lock file of hashes, read for the target and not for the machine that builds.

pip asks a marker about the machine it runs on: on a Mac it would leave out what Linux needs.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from gymops.deploy.build.failures import BuildError
from gymops.deploy.build.target import Target

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?=\s|$)")
_RELOCK = "lock with hashes: pip-compile --generate-hashes, or uv pip compile --generate-hashes"


@dataclass(frozen=True)
class Pin:
    """One package of the lock: what pip may take for it, by hash."""

    name: str
    version: str
    hashes: frozenset[str]

    @property
    def line(self) -> str:
        """As pip reads it."""
        return f"{self.name}=={self.version} " + " ".join(f"--hash=sha256:{h}" for h in sorted(self.hashes))


def read(file: Path, target: Target, without: Collection[str] = ()) -> list[Pin]:
    """The packages that the target needs, by name.

    Raises:
        BuildError: the file is missing, or a line of it does not pin one package by its hashes, or a name
            of ``without`` is not in it.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text"
        raise BuildError(f"{file}: {why}", hint=f"name the lock in [app] of gymops.toml; {_RELOCK}") from None
    pins: dict[str, Pin] = {}
    seen: set[str] = set()
    for line in _joined(text):
        pin, wanted = _pin(line, file, target)
        seen.add(pin.name)
        if wanted:
            if pin.name in pins:
                raise BuildError(f"{file}: {pin.name} is pinned twice", hint="lock it anew")
            pins[pin.name] = pin
    dropped = {str(canonicalize_name(name)) for name in without}
    if unknown := sorted(dropped - seen):
        raise BuildError(
            f"{file} has no {unknown[0]}, which [app] leaves out",
            hint="take it out of `without` in gymops.toml",
        )
    return [pins[name] for name in sorted(pins) if name not in dropped]


def _joined(text: str) -> list[str]:
    """The lines, continued ones joined, comments and blank ones away."""
    lines = text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines()
    stripped = (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines)
    return [line for line in stripped if line]


def _pin(line: str, file: Path, target: Target) -> tuple[Pin, bool]:
    hashes = frozenset(_HASH.findall(line))
    rest = _HASH.sub("", line).strip()
    try:
        requirement = Requirement(rest)
    except InvalidRequirement:
        raise BuildError(f"{file}: {rest[:80]!r} does not pin one package", hint=_RELOCK) from None
    versions = [(one.operator, one.version) for one in requirement.specifier]
    if requirement.url or len(versions) != 1 or versions[0][0] != "==" or "*" in versions[0][1]:
        raise BuildError(f"{file}: {requirement.name} is not pinned to one version", hint=_RELOCK)
    if not hashes:
        raise BuildError(f"{file}: {requirement.name} has no sha256 hash", hint=_RELOCK)
    wanted = requirement.marker is None or requirement.marker.evaluate(target.markers())
    return Pin(canonicalize_name(requirement.name), versions[0][1], hashes), wanted
