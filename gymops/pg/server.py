"""One server: where it lives, its URL, and what is asked of it and made in it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gymops.errors import ServerError
from gymops.pg import cluster, process

DATABASE = "gymops"
OWNER = cluster.OWNER
APP_ROLE = "gymops_app"
PORT = 5432
"""The socket's name says it; nothing listens on the network."""
SOCKET = f".s.PGSQL.{PORT}"
_SOCKET_BYTES = 103  # 107 on Linux, 103 on macOS
_PLAIN = re.compile(r"[A-Za-z0-9_./+~-]+")  # a comma or a quote means something in lists of socket folders
_LOG_BYTES = 10_000_000


@dataclass(frozen=True)
class Server:
    """A running or stopped server belonging to one home directory."""

    home: Path
    binaries: Path

    @property
    def folder(self) -> Path:
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def port(self) -> int:
        return PORT

    @property
    def socket_dir(self) -> Path:
        """Inside home; where that is too long a path for a socket, a folder in /tmp named after home.

        It depends on nothing but home, so that every command finds it, whatever its environment.
        """
        inside = self.folder / "socket"
        if _PLAIN.fullmatch(str(inside)) and len(os.fsencode(inside / SOCKET)) <= _SOCKET_BYTES:
            return inside
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:20]
        return Path("/tmp", f"gymops-{name}")  # noqa: S108 - private_folder() checks whose it is

    def url(self, database: str = DATABASE, user: str = OWNER) -> str:
        """The URL of one of its databases; it holds no secret."""
        where = quote(str(self.socket_dir))
        return (
            f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={where}&port={self.port}"
        )


def ask(server: Server) -> str | None:
    """The version of the server if it answers, is the one meant and is out of recovery."""
    answer = _psql(
        server,
        "postgres",
        "select pg_is_in_recovery(), split_part(current_setting('server_version'), ' ', 1),"
        " current_setting('data_directory')",
    )
    if answer.returncode != 0:
        return None
    recovers, version, data = answer.stdout.strip().split("|", 2)
    return version if recovers == "f" and Path(data).samefile(server.data) else None


def provide(server: Server) -> None:
    """Make the database and the restricted role where they are missing.

    Raises:
        ServerError: they cannot be made.
    """
    found = _must(
        server,
        "postgres",
        f"select exists(select from pg_database where datname = '{DATABASE}'),"  # noqa: S608 - our constants
        f" exists(select from pg_roles where rolname = '{APP_ROLE}')",
    )
    database, role = found.split("|")
    if database == "f":
        _must(server, "postgres", f"create database {DATABASE}")
    if role == "f":
        # One transaction: the role exists only together with its limits.
        _must(
            server,
            DATABASE,
            "begin",
            f"create role {APP_ROLE} login nosuperuser nocreatedb nocreaterole noreplication",
            f"revoke all on database {DATABASE} from public",
            f"grant connect on database {DATABASE} to {APP_ROLE}",
            "revoke create on schema public from public",
            "commit",
        )


def open_log(server: Server) -> int:
    """The log, opened for the server to append to; a long one is put aside first."""
    if server.log.exists() and server.log.stat().st_size > _LOG_BYTES:
        server.log.replace(server.log.with_name("log.1"))
    return os.open(server.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def read_log(server: Server, start: int) -> str:
    """What the log says from byte ``start`` on, the last 100 kB of it at most."""
    with server.log.open("rb") as file:
        file.seek(max(start, server.log.stat().st_size - 100_000))
        return file.read().decode(errors="replace")


def _must(server: Server, database: str, *statements: str) -> str:
    answer = _psql(server, database, *statements)
    if answer.returncode != 0:
        why = cluster.last_useful(answer.stderr)
        raise ServerError(f"PostgreSQL cannot be prepared: {why}", hint=f"its log: {server.log}")
    return answer.stdout.strip()


def _psql(server: Server, database: str, *statements: str) -> subprocess.CompletedProcess[str]:
    command = [str(server.binaries / "psql"), "-XAtqw", "-v", "ON_ERROR_STOP=1", "-d", server.url(database)]
    command += [part for statement in statements for part in ("-c", statement)]
    try:
        return subprocess.run(
            command, env={**process.environment(), "PGCONNECT_TIMEOUT": "5"}, stdin=subprocess.DEVNULL,
            capture_output=True, encoding="utf-8", errors="replace", timeout=60, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", "no answer in 60 s")
