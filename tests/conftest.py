"""Real PostgreSQL servers for the tests, one of each kind per test process, and fresh databases on them."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from gymops.clock import SystemClock
from gymops.pg import binaries, embedded

pytest_plugins = ["tests.fixtures_schema", "tests.local_aws"]

# A test's data need not survive a power cut.
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
}

_MEMORY = Path("/dev/shm")  # noqa: S108 - everything makes a folder of its own in it
_ROOM = 4_000_000_000


def pytest_configure() -> None:
    """Hear Ctrl-C, which a shell's job in the background does not and would hand down; and keep in memory
    what tests write, where it has room: on a busy disk one fresh database takes 0.4 s.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if (
        _MEMORY.is_dir()
        and os.access(_MEMORY, os.W_OK)
        and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC  # what tests install is run, too
        and shutil.disk_usage(_MEMORY).free > _ROOM
    ):
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins first, so that nobody waits for it alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


Databases = Callable[..., str]
"""``new(template="template1") -> URL``: as many fresh databases as a test wants."""


class Servers:
    """The servers of this test process, started when first asked for."""

    def __init__(self) -> None:
        self._running: dict[str, embedded.Server] = {}
        self._stack = ExitStack()

    def get(self, kind: str) -> embedded.Server:
        """``embedded`` or ``system``; skips the test when there is no such server."""
        if kind not in self._running:
            folder = binaries.find_system() if kind == "system" else None
            if kind == "system" and folder is None:
                pytest.skip("no PostgreSQL is installed on the system, only the embedded one")
            self._running[kind] = self._stack.enter_context(_server(folder))
        return self._running[kind]

    def close(self) -> None:
        self._stack.close()


@contextmanager
def _server(postgres_bin: Path | None) -> Iterator[embedded.Server]:
    with embedded.temporary(clock=SystemClock(), postgres_bin=postgres_bin, settings=_FAST) as server:
        yield server


@contextmanager
def fresh_databases(server: embedded.Server) -> Iterator[Databases]:
    """Make databases on a server and drop them at the end, whoever is still connected."""
    made: list[str] = []

    def new(template: str = "template1") -> str:
        name = f"test_{uuid.uuid4().hex}"
        # As files: the default writes all of the template to the WAL, page by page.
        _administer(server, f'create database "{name}" template "{template}" strategy file_copy')
        made.append(name)
        return server.url(name)

    try:
        yield new
    finally:
        for name in made:
            _administer(server, f'drop database if exists "{name}" with (force)')


def _administer(server: embedded.Server, statement: str) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """All kinds of server; for fixtures that keep something of their own on each, such as a template."""
    all_of_them = Servers()
    try:
        yield all_of_them
    finally:
        all_of_them.close()


@pytest.fixture(scope="session")
def postgres_server(servers: Servers) -> embedded.Server:
    """The embedded server of this test process."""
    return servers.get("embedded")


@pytest.fixture(params=["embedded", "system"])
def any_server(request: pytest.FixtureRequest, servers: Servers) -> embedded.Server:
    """The embedded server, then the system's; skipped where there is none."""
    kind: str = request.param
    return servers.get(kind)


@pytest.fixture
def new_database(postgres_server: embedded.Server) -> Iterator[Databases]:
    """A factory of fresh databases on the embedded server."""
    with fresh_databases(postgres_server) as new:
        yield new


@pytest.fixture
def database(new_database: Databases) -> str:
    """The URL of a fresh, empty database on the embedded server."""
    return new_database()


@pytest.fixture
def new_any_database(any_server: embedded.Server) -> Iterator[Databases]:
    """A factory of fresh databases on the embedded server, then on the system's."""
    with fresh_databases(any_server) as new:
        yield new


@pytest.fixture
def any_database(new_any_database: Databases) -> str:
    """The URL of a fresh, empty database on the embedded server, then on the system's."""
    return new_any_database()
