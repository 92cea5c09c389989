"""When and from what an artefact was made: never the time of the build, which would differ each time."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gymops.errors import ConfigError


@dataclass(frozen=True)
class Origin:
    """SOURCE_DATE_EPOCH or the commit's time; the commit, and whether the sources differ from it."""

    created: str | None
    commit: str | None
    dirty: bool | None


def find(source: Path, parts: Sequence[str], environ: Mapping[str, str]) -> Origin:
    """What git knows of ``parts`` of a folder; without git, or outside of a repository, nothing.

    Raises:
        ConfigError: SOURCE_DATE_EPOCH is no number of seconds.
    """
    commit = _git(source, "log", "-1", "--format=%H %ct", "--", *parts)
    name, _, seconds = (commit or "").strip().partition(" ")
    changed = _git(source, "status", "--porcelain", "--", *parts) if name else None
    epoch = environ.get("SOURCE_DATE_EPOCH") or seconds
    try:
        created = datetime.fromtimestamp(int(epoch), UTC).isoformat() if epoch else None
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"SOURCE_DATE_EPOCH is {epoch[:40]!r}", hint="give seconds since 1970, as `date +%s` prints them"
        ) from None
    return Origin(created, name or None, bool(changed.strip()) if changed is not None else None)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
