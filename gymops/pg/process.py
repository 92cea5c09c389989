"""PostgreSQL's programs as processes: under which account they run, which are alive, who holds the lock."""

from __future__ import annotations

import fcntl
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gymops.clock import Clock, ticks
from gymops.errors import LockHeld, ServerError

POLL = 0.02
"""Seconds between two looks at a process."""

_LAUNCH = Path(__file__).with_name("launch.py")
_PROC = Path("/proc")
_NOBODY = 65534
# The server outlives the command, so it gets no more of our environment than it needs: there may be
# credentials in it, and PG* variables that would change what the programs do.
_KEPT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Identity:
    """Who the server runs as: PostgreSQL refuses to be root."""

    spelled: str
    """As launch.py takes it."""
    uid: int
    gid: int
    """The owner of its files, as seen from here."""


@dataclass(frozen=True)
class Postmaster:
    """A live server process."""

    pid: int
    started_at: datetime | None


def environment() -> dict[str, str]:
    """What PostgreSQL's programs get to see; messages in English, so that they can be read back."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"LC_ALL": "C"}


def candidates() -> list[Identity]:
    """The identities the server could run as, best first."""
    uid, gid = os.geteuid(), os.getegid()
    myself = Identity("self", uid, gid)
    if uid != 0 and _account(uid):
        return [myself]
    # initdb wants an account that exists, inside the namespace too.
    nobody = _account("nobody")
    inside = f"{nobody.pw_uid}:{nobody.pw_gid}" if nobody else f"{_NOBODY}:{_NOBODY}"
    namespace = [Identity(f"namespace:{inside}", uid, gid)] if sys.platform == "linux" else []
    if uid != 0:
        return [*namespace, myself]
    others = [found for found in (_account("postgres"), nobody) if found]
    return namespace + [
        Identity(f"user:{other.pw_uid}:{other.pw_gid}", other.pw_uid, other.pw_gid) for other in others
    ]


def choose(parent: Path, postgres: Path) -> Identity:
    """The first identity that can reach both the folder and the program.

    Raises:
        ServerError: none can.
    """
    options = candidates()
    if len(options) == 1:
        return options[0]
    reason = "no unprivileged account exists"
    for identity in options:
        probe = run(identity, parent, postgres, "--version")
        if probe.returncode == 0:
            return identity
        reason = probe.stderr.strip().removeprefix(f"{parent}: ") or reason
    raise ServerError(
        f"PostgreSQL does not run as root, and no other account can use {parent} and {postgres} ({reason})",
        hint="run gymops as an ordinary user, or choose --home in a folder that all may enter, such as /srv",
    )


def run(
    identity: Identity,
    folder: Path,
    program: Path,
    *arguments: str,
    timeout: float | None = None,
    keep: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs to its end; it never outlives us.

    Raises:
        ServerError: it took longer than ``timeout`` seconds.
    """
    command = _command(identity, folder, program, arguments, tied=sys.platform == "linux")
    try:
        return subprocess.run(
            command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
            encoding="utf-8", errors="replace", timeout=timeout, check=False,
            pass_fds=[] if keep is None else [keep],
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{program.name} did not end in {timeout:.0f} s") from error


def spawn(
    identity: Identity, folder: Path, program: Path, *arguments: str, log: int, keep: int, tied: bool
) -> Callable[[], bool]:
    """Start the server in a session of its own; what comes back tells whether it still lives.

    ``log`` takes its output; ``keep`` is a locked file it and its children hold open as long as they live.
    ``tied`` ends it with the *thread* that calls this (so the kernel has it): call it from the main thread.
    """
    child = subprocess.Popen(
        _command(identity, folder, program, arguments, tied=tied), env=environment(),
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[keep], start_new_session=True,
    )  # fmt: skip
    _children.append(child)
    return lambda: child.poll() is None


def postmaster(data: Path) -> Postmaster | None:
    """The live server of this data directory. A pid file alone proves nothing: pids are used again."""
    reap()
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    pid = int(lines[0]) if lines and lines[0].strip().isdecimal() else 0
    if not pid or not _serves(pid, data):
        return None
    start = lines[2].strip() if len(lines) > 2 else ""
    return Postmaster(pid, datetime.fromtimestamp(int(start), UTC) if start.isdecimal() else None)


def orphans(data: Path) -> list[int]:
    """All PostgreSQL processes at work in this data directory, the server itself included."""
    if not _PROC.joinpath("self").exists():
        return []
    return [
        pid for entry in _PROC.iterdir() if entry.name.isdecimal() and _serves(pid := int(entry.name), data)
    ]


def send(pid: int, data: Path, what: signal.Signals) -> None:
    """Signal a process if it still is the one we mean."""
    if _serves(pid, data):
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def reap() -> None:
    """Collect those of our children that ended."""
    _children[:] = [child for child in _children if child.poll() is None]


@contextmanager
def locked(path: Path, *, clock: Clock, timeout: float) -> Iterator[None]:
    """Hold the lock that start and stop take.

    Raises:
        LockHeld: another process held it all the time.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not any(_lock(file) for _ in ticks(clock, timeout=timeout, interval=POLL)):
            holder = os.pread(file, 200, 0).decode(errors="replace").strip() or "another process"
            raise LockHeld(
                f"{holder} is starting or stopping this PostgreSQL", hint="try again when it is done"
            )
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()}, since {clock.now():%Y-%m-%d %H:%M:%S} UTC,\n".encode(), 0)
        yield
        os.ftruncate(file, 0)
    finally:
        os.close(file)


@contextmanager
def no_other(path: Path, data: Path, *, clock: Clock, timeout: float) -> Iterator[int]:
    """Make sure that no process uses the data directory; yields the locked file the server will hold.

    The lock goes with the open file through fork and exec. So it is free exactly when the server and all
    its children are gone, wherever they run: in another container, or left behind by a killed server.

    Raises:
        ServerError: there is such a process, and it is not ours to end.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        for gone in ticks(clock, timeout=timeout, interval=POLL):
            left = orphans(data)
            if not left and _lock(file):
                break
            for pid in left:
                # Without their server they only wait for a query to end; they notice SIGQUIT, or they hang.
                send(pid, data, signal.SIGQUIT if gone < timeout / 2 else signal.SIGKILL)
        else:
            raise ServerError(
                f"another process still uses {data}",
                hint="is it served from another container or machine? Stop it there first",
            )
        yield file
    finally:
        os.close(file)


def _command(
    identity: Identity, folder: Path, program: Path, arguments: tuple[str, ...], *, tied: bool
) -> list[str]:
    if identity.spelled == "self" and not tied:
        return [str(program), *arguments]
    parent = str(os.getpid() if tied else 0)
    launch = [sys.executable, "-I", "-S", str(_LAUNCH)]
    return [*launch, str(folder), identity.spelled, parent, str(program), *arguments]


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _serves(pid: int, data: Path) -> bool:
    """Is this process a PostgreSQL at work in this data directory?"""
    if not _PROC.joinpath("self").exists():
        shown = subprocess.run(
            ["ps", "-ww", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
        )
        return "postgres" in shown.stdout and f"-D {data}" in shown.stdout
    process = _PROC / str(pid)
    try:
        # Every server process works in its data directory; the name guards against a shell standing there.
        program = (process / "exe").readlink().name.removesuffix(" (deleted)")
        return program in {"postgres", "postmaster"} and (process / "cwd").samefile(data)
    except OSError:
        return False


def _account(who: int | str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(who) if isinstance(who, int) else pwd.getpwnam(who)
    except KeyError:
        return None
