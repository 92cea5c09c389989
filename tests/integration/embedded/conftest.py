"""A folder for an embedded server, and a server that was started once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gymops.pg.embedded import Server, open_server
from tests.integration.embedded.servers import (
    SHORT,
    sql,
    start,
    stop,
)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path that every account may enter; no server is left in it."""
    folder = Path(tempfile.mkdtemp(prefix="gymops-", dir=SHORT))
    folder.chmod(0o755)
    yield folder
    for data in folder.rglob("postgres/data"):
        stop(open_server(data.parents[1]))
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A home whose server was started once, to copy."""
    with tempfile.TemporaryDirectory(prefix="gymops-", dir=SHORT) as folder:
        server = open_server(Path(folder) / "home")
        start(server)
        sql(server, "create table kept as select 42 as answer")
        stop(server)
        yield server.home


@pytest.fixture
def server(place: Path, made: Path) -> Server:
    """A stopped server that has a table ``kept``."""
    shutil.copytree(made, place / "home", ignore=shutil.ignore_patterns("socket"))
    (place / "home").chmod(0o700)
    return open_server(place / "home")
