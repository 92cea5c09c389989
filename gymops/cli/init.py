"""``gymops init``."""

from __future__ import annotations

from pathlib import Path

import click

from gymops import resources
from gymops.cli import output
from gymops.config import FILE
from gymops.errors import ConfigError

_EPILOG = """\b
--json prints one document with the key written (the path of the new file)."""


@click.command("init", epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool) -> None:
    """Write a commented gymops.toml into the current directory.

    Every setting is explained and commented out: the file changes nothing until you edit it. A file that
    exists is never overwritten.
    """
    file = write(Path(FILE))
    if as_json:
        output.document({"written": str(file)})
        return
    output.text(f"wrote {file}")
    output.text("next: gymops migrate SOURCE --plan")


def write(file: Path) -> Path:
    """Write the template to a file that does not exist yet; return where that is.

    Raises:
        ConfigError: it exists, or cannot be written.
    """
    text = (resources.path("templates") / FILE).read_text(encoding="utf-8")
    try:
        with file.open("x", encoding="utf-8") as new:
            try:
                new.write(text)
                new.flush()
            except OSError:
                file.unlink()
                raise
        return file.absolute()
    except FileExistsError:
        raise ConfigError(
            f"{file} exists and is not overwritten",
            hint="edit it, or move it away and run gymops init again",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be written: {error.strerror}", hint="run it in a directory you may write to"
        ) from None
