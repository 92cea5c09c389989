"""PostgreSQL's own client programs, run on a URL: no password on their command line, their failures told."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from psycopg.conninfo import make_conninfo

from gymops.errors import ConfigError, GymopsError
from gymops.pg.binaries import major
from gymops.pg.cluster import last_useful
from gymops.pg.conninfo import parse, redact, secrets
from gymops.pg.process import environment


class ProgramError(GymopsError):
    """One of PostgreSQL's programs failed; the message is its own."""

    code = "program"


_PIPE = 1 << 20

_HINTS = {
    "must be superuser or replication role": "ALTER ROLE ... REPLICATION for the user of the URL",
    "permission denied to start WAL sender": "ALTER ROLE ... REPLICATION for the user of the URL",
    "no pg_hba.conf entry": "add a line `host replication USER ADDRESS scram-sha-256` to its pg_hba.conf",
    "max_wal_senders": "raise max_wal_senders, or end what replicates from the server",
    "max_replication_slots": "raise max_replication_slots, or drop a slot that nobody uses",
    "No space left": "make room on the disk, then run the same again",
    "COPY stream ended": "see the server's log; if it removed WAL meanwhile, raise max_slot_wal_keep_size",
    "already been removed": "gymops backup takes a new base backup",
    "server closed the connection": "see that the server is up, then run the same again",
    "terminating connection": "see that the server is up, then run the same again",
    "could not connect": "see that the server is up, then run the same again",
    "connection to server": "see that the server is up, then run the same again",
}


def fits(binaries: Path, server: int) -> None:
    """Make sure that the programs are at least as new as a server of this major version.

    Raises:
        ConfigError: they would refuse it.
    """
    if major(binaries) < server:
        raise ConfigError(
            f"the server is PostgreSQL {server}, and the programs in {binaries} are {major(binaries)}:"
            " they refuse what is newer than they are",
            hint=f"set postgres_bin in gymops.toml to the programs of PostgreSQL {server}",
        )


@contextmanager
def reading(binaries: Path, program: str, url: str, *arguments: str) -> Iterator[Output]:
    """Run a program whose output is read; it is ended with the block.

    Raises:
        ProgramError: it failed, once its output was read to the end.
    """
    process = subprocess.Popen(
        [str(binaries / program), *arguments, "-d", address(url)], env=seen_with(url),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        widen(_pipe(process.stdout).fileno())
        output = Output(process, url)
        yield output
        output.finish()
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def widen(pipe: int) -> None:
    """Let a pipe hold more, where the system allows it: both its ends wait less for each other."""
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)


class Output:
    """What a program writes, as it comes. Nothing it says on the side may fill a pipe: ours say little."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self._process, self._url = process, url
        self.said = ""
        """What it said on the side, when it has ended."""

    def read(self, size: int = -1, /) -> bytes:
        """Some of its output; none at the end."""
        return _pipe(self._process.stdout).read(size)

    def finish(self) -> None:
        """Wait for its end."""
        self.said = _pipe(self._process.stderr).read().decode(errors="replace")
        _judge(self._url, self._process.wait(), self.said)


def run(binaries: Path, program: str, url: str, *arguments: str, timeout: float) -> str:
    """Run a program to its end; what it said on the side.

    Raises:
        ProgramError: it failed, or took longer than ``timeout`` seconds.
    """
    try:
        done = subprocess.run(
            [str(binaries / program), *arguments, "-d", address(url)], env=seen_with(url),
            stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace",
            timeout=timeout, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ProgramError(
            f"{program} on {redact(url)} did not end in {timeout:.0f} s", hint="look at the server's log"
        ) from None
    _judge(url, done.returncode, done.stderr)
    return done.stderr


def _judge(url: str, status: int, said: str) -> None:
    if status == 0:
        return
    # Their first error is the cause, and those behind it its consequences.
    why = next((line for line in said.splitlines() if " error: " in line), "") or last_useful(said)
    if any(secret in why for secret in secrets(parse(url))):
        why = "it failed"
    hint = next((hint for cause, hint in _HINTS.items() if cause in said), "see the server's log")
    raise ProgramError(f"{redact(url)}: {why}", hint=hint)


def address(url: str) -> str:
    """It without the password: other users of the machine see command lines.

    Raises:
        ConfigError: it holds another secret.
    """
    shown = {name: value for name, value in parse(url).items() if name != "password"}
    if secrets(shown):
        raise ConfigError(
            f"{redact(url)}: of what is secret only a password can be handed to PostgreSQL's programs",
            hint="put the key into a file without a passphrase that only you can read",
        )
    return make_conninfo("", **shown)


def seen_with(url: str) -> dict[str, str]:
    """What a program sees that connects to it."""
    password = parse(url).get("password")
    return environment() | ({"PGPASSWORD": password} if password else {})


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("it was started with pipes")
    return pipe
