"""What is compared: the limit, gymops and pgloader; each loads the same log into a fresh database."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg import sql

from gymops.clock import SystemClock
from gymops.migrate import indexes
from gymops.pg import schema
from gymops.pg.connection import connect
from gymops.pg.embedded import OWNER, Server
from tests.benchmarks import process
from tests.benchmarks.process import FailedError, Finished

_COLUMNS = 'user_id, position, event_id, "timestamp", event_type, schema_version, payload'


@dataclass(frozen=True)
class Source:
    """A log to move: as SQLite, and as the text file that psql loads."""

    events: int
    sqlite: Path
    text: Path


@dataclass(frozen=True)
class Measured:
    """One run of one candidate; ``parts`` are seconds by name."""

    seconds: float
    peak: int
    parts: dict[str, float] = field(default_factory=dict)
    own_peak_mb: float | None = None


class Limit:
    """As fast as the server can be loaded: ``psql \\copy`` of a ready file, then the same index builds.

    The schema is there already, its indexes dropped as gymops drops them; none of that is timed.
    """

    name: ClassVar[str] = r"the limit: psql \copy of a ready text file, index builds"
    proof: ClassVar[str] = "no"

    def __init__(self, server: Server, folder: Path) -> None:
        self._psql = str(server.binaries / "psql")
        self._folder = folder

    def prepare(self, url: str) -> None:
        schema.upgrade(url, clock=SystemClock())
        with closing(connect(url, autocommit=True)) as connection:
            run_id = uuid.uuid4()
            connection.execute(
                "INSERT INTO runs (run_id, kind, source, status, started_at)"
                " VALUES (%s, 'benchmark', 'text file', 'running', now())",
                (run_id,),
            )
            if not indexes.drop(connection, run_id, _unchecked):
                raise FailedError("the indexes could not be dropped")

    def run(self, source: Source, url: str) -> Measured:
        started = time.monotonic()
        copy = rf"\copy events ({_COLUMNS}) from '{source.text}'"
        done = process.run(
            [self._psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", copy], folder=self._folder
        )
        _succeeded("psql", done)
        copied = time.monotonic()
        with closing(connect(url, autocommit=True)) as connection:
            indexes.build(connection, _unchecked, lambda _: None)
        ended = time.monotonic()
        return Measured(ended - started, done.peak, {"copy": copied - started, "index": ended - copied})


class Gymops:
    """``gymops migrate`` as a process, from its start to its exit, with schema, record and proof."""

    name: ClassVar[str] = "gymops migrate, whole: plan, copy, indexes, proof, record"
    proof: ClassVar[str] = "yes"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, url: str) -> None:
        """It finds an empty database."""

    def run(self, source: Source, url: str) -> Measured:
        migrate = ["migrate", str(source.sqlite), "--to", url, "--yes", "--json"]
        done = process.run(
            [sys.executable, "-m", "gymops", "--home", str(self._folder / "home"), *migrate],
            folder=self._folder,
            environ={"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
        _succeeded("gymops migrate", done)
        report = json.loads(done.stdout)
        if not report["verified"] or report["events"]["written"] != source.events:
            raise FailedError(f"gymops migrate: {done.stdout}")
        return Measured(done.seconds, done.peak, report["seconds"], report["peak_rss_mb"])


class Pgloader:
    """pgloader with its defaults: it makes the tables (text columns) and the indexes of the source."""

    proof: ClassVar[str] = "no"

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self.name = f"pgloader {pgloader_version()}, whole: into text columns, indexes included"

    def prepare(self, url: str) -> None:
        """It finds an empty database."""

    def run(self, source: Source, url: str) -> Measured:
        database = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        target = f"postgresql://{OWNER}@unix:{self._server.socket_dir}:{self._server.port}/{database}"
        root = self._folder / "pgloader"
        done = process.run(
            ["pgloader", "--root-dir", str(root), f"sqlite://{source.sqlite}", target], folder=self._folder
        )
        shutil.rmtree(root, ignore_errors=True)
        _succeeded("pgloader", done)
        with closing(connect(url)) as connection:  # it exits 0 even when it lost rows
            found = connection.execute("SELECT count(*) FROM events").fetchone()
        if found != (source.events,):
            raise FailedError(f"pgloader: {found} of {source.events} events arrived: {done.stdout[-500:]}")
        return Measured(done.seconds, done.peak)


Candidate = Limit | Gymops | Pgloader


def pgloader_version() -> str | None:
    """What pgloader says it is, None where it is not installed."""
    if shutil.which("pgloader") is None:
        return None
    shown = subprocess.run(["pgloader", "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r'version "([^"]+)"', shown)
    return version[1] if version else "?"


def measure(server: Server, candidate: Candidate, source: Source) -> Measured:
    """One run into a fresh database; the server has written everything before it begins."""
    with fresh_database(server) as url:
        candidate.prepare(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        return candidate.run(source, url)


def write_text(sqlite: Path, text: Path) -> None:
    """Write the file that ``psql \\copy`` loads, from a SQLite log of one user."""
    statement = "SELECT id, event_id, timestamp, event_type, schema_version, payload FROM events ORDER BY id"
    with (
        closing(sqlite3.connect(f"{sqlite.as_uri()}?mode=ro", uri=True)) as connection,
        text.open("w", encoding="utf-8", newline="\n") as file,
    ):
        for *columns, payload in connection.execute(statement):
            escaped = payload.replace("\\", "\\\\")
            file.write("\t".join(["default", *map(str, columns), escaped]) + "\n")


@contextmanager
def fresh_database(server: Server) -> Iterator[str]:
    name = sql.Identifier(f"bench_{uuid.uuid4().hex}")
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            yield server.url(name.as_string().strip('"'))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _succeeded(name: str, done: Finished) -> None:
    if done.status != 0:
        raise FailedError(f"{name} exited {done.status}: {(done.stderr or done.stdout).strip()[-2000:]}")


def _unchecked() -> None:
    """Nobody can take the benchmark's lock away."""
