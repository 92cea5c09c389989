"""Draw docs/demo.svg from a real run of ``gymops demo``: ``make picture``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parents[1] / "docs" / "demo.svg"
_COLOURS = (
    (r"^\d  .*$", "bold cyan"),
    (r"VERIFIED.*$", "bold green"),
    (r"DIFFERENT.*$", "bold red"),
    (r"^Try next$", "bold cyan"),
    (r"^ +#.*$", "dim"),
    (r"\b[0-9a-f]{64}\b", "yellow"),
)


def transcript() -> str:
    """What the demo prints in an empty directory."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as folder:
        for command in (["gymops", "demo"], ["gymops", "db", "stop"]):
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, check=True
            )
            if command[1] == "demo":
                text = done.stdout
    return text


def draw(text: str) -> str:
    """The transcript as an SVG that needs no font from elsewhere."""
    console = Console(record=True, width=100, file=StringIO())
    console.print(Text("$ gymops demo", style="bold"))
    for line in text.splitlines():
        shown = Text(line)
        for pattern, style in _COLOURS:
            shown.highlight_regex(pattern, style)
        console.print(shown)
    svg = console.export_svg(title="gymops demo")
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(transcript()), encoding="utf-8")
