"""Files of variables, as a shell or a program's settings read them."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from pathlib import Path

from gymops.errors import ConfigError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def keep(file: Path, name: str, value: str) -> bool:
    """Set one in a file that from then on its owner alone may read; whether it was another. The others stay.

    Raises:
        ConfigError: it is no name of a variable, or the file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of a variable", hint="for example DATABASE_URL")
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        lines, line = before.splitlines(), f"{name}={shlex.quote(value)}"
        at = [number for number, one in enumerate(lines) if _named(one) == name]
        after = [line if number in at else one for number, one in enumerate(lines)]
        _replace(file, "\n".join(after if at else [*lines, line]) + "\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{file} cannot be written: {why}", hint="--to another file") from None
    return line not in lines


def _named(line: str) -> str:
    return line.strip().removeprefix("export ").partition("=")[0].strip()


def _replace(file: Path, text: str) -> None:
    """In one step, and never readable for anybody else."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as new:
            new.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
