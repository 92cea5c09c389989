"""What a local AWS was started with; written by ``up`` and read by the process it starts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class LocalSettings:
    """One local AWS: where it keeps its state and how it behaves."""

    state: Path
    """``./.gymops/local``."""
    port: int
    postgres: Path
    """The folder of PostgreSQL's programs."""
    delay: float = 0.0
    """Seconds an operation stays in progress (creating, IN_PROGRESS, RUNNING) before it takes effect."""
    archive_seconds: float = 60.0
    """How far the latest restorable time may lag behind; 0: brought up to date when it is asked for."""
    durable: bool = True
    """False: data survives a killed process, but no power cut (tests)."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def file(self) -> Path:
        return self.state / "settings.json"

    def dump(self) -> str:
        return json.dumps(asdict(self), default=str, indent=2)


def load(file: Path) -> LocalSettings:
    """Read what ``dump`` wrote."""
    document = json.loads(file.read_text(encoding="utf-8"))
    for name in ("state", "postgres"):
        document[name] = Path(document[name])
    return LocalSettings(**document)
