"""The local AWS as a process: up, down, status."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gymops.clock import Clock, ticks
from gymops.errors import LocalError, ServerError
from gymops.local import environment, ports, processes
from gymops.local.settings import LocalSettings, load
from gymops.pg import cluster, embedded, process

PORT = 4566
_FORMAT = 1
_BOOT = Path(__file__).parent / "plane" / "boot.py"
_START_SECONDS = 180.0
_END_SECONDS = 20.0
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE")


@dataclass(frozen=True)
class LocalStatus:
    """What is known of a local AWS."""

    running: bool
    url: str | None
    pid: int | None
    state: Path
    log: Path
    databases: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Stopped:
    """What ``down`` ended."""

    emulator: bool
    databases: int
    by_force: bool


class LocalAws:
    """One local AWS: an emulator on loopback, its databases and its functions, in one folder."""

    def __init__(self, home: Path, clock: Clock, environ: Mapping[str, str]) -> None:
        self._home = home.expanduser().resolve()
        self.state = self._home / "local"
        self._clock = clock
        self._environ = environ
        self._marker = self.state / "gymops-local.json"
        self._alive = self.state / "alive"
        self._settings_file = self.state / "settings.json"
        self.log = self.state / "log"

    def up(self, settings: LocalSettings) -> bool:
        """Start it and wait until it answers, its databases too; False if it ran already.

        Raises:
            LocalError: it cannot be started; the message quotes its log.
            LockHeld: someone else is starting or stopping it.
        """
        with self._told():
            self._prepare()
            with process.locked(self.state / "lock", clock=self._clock, timeout=_START_SECONDS):
                if processes.held(self._alive):
                    self._await(load(self._settings_file), None)
                    return False
                self._sweep()
                made, _ = environment.ensure(self._environ, clock=self._clock)
                if not ports.is_free(settings.port):
                    raise LocalError(
                        f"port {settings.port} is taken by another program",
                        hint="gymops local up --port 0 takes a free one",
                    )
                _write(self._settings_file, settings.dump())
                self._start(made, settings)
            return True

    def down(self) -> Stopped:
        """End the emulator, its functions and its databases; their data stays.

        Raises:
            LocalError: something of it does not end.
            LockHeld: someone else is starting or stopping it.
        """
        with self._told():
            if not self._marker.exists():
                return Stopped(emulator=False, databases=0, by_force=False)
            self._check_marker()
            with process.locked(self.state / "lock", clock=self._clock, timeout=_START_SECONDS):
                ran = processes.held(self._alive)
                by_force = self._end() if ran else False
                return Stopped(emulator=ran, databases=self._sweep(), by_force=by_force)

    def status(self) -> LocalStatus:
        """Look whether it runs; a lock is believed, a pid file is not."""
        if not self._marker.exists() or not processes.held(self._alive):
            return LocalStatus(running=False, url=None, pid=None, state=self.state, log=self.log)
        settings = load(self._settings_file)
        found = ask(settings, "status") or {}
        return LocalStatus(
            running=True, url=settings.url, pid=self._pid(), state=self.state, log=self.log,
            databases=found.get("databases", []),
        )  # fmt: skip

    def saved_port(self) -> int | None:
        """The port it had the last time, which what it keeps may name."""
        try:
            return load(self._settings_file).port
        except (OSError, ValueError, TypeError):
            return None

    def _prepare(self) -> None:
        cluster.prepare_home(self._home, self.state)
        if self._marker.exists():
            self._check_marker()
        elif any(self.state.iterdir()):
            raise LocalError(
                f"{self.state} holds files, but no local AWS of gymops",
                hint=f"move it away: mv {self.state} {self.state}.old",
            )
        else:
            _write(self._marker, json.dumps({"format": _FORMAT}))
        for name in ("tmp", "aws", "db"):
            (self.state / name).mkdir(mode=0o700, exist_ok=True)
        self._check_state()

    def _check_marker(self) -> None:
        try:
            found = json.loads(self._marker.read_text(encoding="utf-8"))["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(self._marker) from error
        if found != _FORMAT:
            raise LocalError(
                f"{self.state} was made by another version of gymops (format {found}, and this is {_FORMAT})",
                hint=f"use that version, or start afresh: mv {self.state} {self.state}.old",
            )

    def _check_state(self) -> None:
        """The emulator would go on without what it cannot read, and then save over it."""
        for file in [*(self.state / "aws").glob("*.json"), self.state / "plane.json"]:
            try:
                if file.exists():
                    json.loads(file.read_bytes())
            except ValueError as error:
                raise self._damaged(file) from error

    def _damaged(self, file: Path) -> LocalError:
        return LocalError(
            f"{file} is damaged",
            hint=f"restore it, or start afresh: mv {self.state} {self.state}.old",
        )

    def _start(self, made: environment.Environment, settings: LocalSettings) -> None:
        environ = {name: self._environ[name] for name in _KEPT if name in self._environ}
        environ |= {"TMPDIR": str(self.state / "tmp"), "GYMOPS_LOCAL_RUNTIME": str(made.runtime)}
        alive = os.open(self._alive, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            child = subprocess.Popen(
                [str(made.python), "-I", str(_BOOT), str(self._settings_file)],
                env=environ, cwd=self.state, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=[alive], start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(alive)
            os.close(log)
        (self.state / "pid").write_text(str(child.pid), encoding="ascii")
        _children.append(child)
        try:
            self._await(settings, child)
        except LocalError:
            if child.poll() is None:
                self._end()
            self._sweep()
            raise

    def _await(self, settings: LocalSettings, child: subprocess.Popen[bytes] | None) -> None:
        for _ in ticks(self._clock, timeout=_START_SECONDS, interval=0.05):
            found = ask(settings, "status")
            if found and found["settled"]:
                return
            if child is not None and child.poll() is not None:
                raise LocalError(
                    f"the local AWS did not start: {self._last_words()}", hint=f"its log: {self.log}"
                )
        raise LocalError(
            f"the local AWS does not answer after {_START_SECONDS:.0f} s", hint=f"its log: {self.log}"
        )

    def _end(self) -> bool:
        """End the emulator; True if it took force."""
        pid = self._pid()
        for what, patience in ((signal.SIGTERM, _END_SECONDS), (signal.SIGKILL, _END_SECONDS)):
            processes.kill([pid] if pid else [], what)
            for _ in ticks(self._clock, timeout=patience, interval=0.02):
                _reap()
                if not processes.held(self._alive):
                    return what == signal.SIGKILL
        raise LocalError(f"the emulator (process {pid}) does not end", hint=f"see {self.log}")

    def _sweep(self) -> int:
        """End what an emulator left behind: functions, databases, temporary folders. How many databases."""
        processes.kill(processes.naming(f"{self.state}/functions/"), signal.SIGKILL)
        ended = 0
        for home in (self.state / "db").iterdir() if (self.state / "db").is_dir() else ():
            ended += embedded.stop(embedded.Server(home, Path()), clock=self._clock)
        tmp = self.state / "tmp"
        shutil.rmtree(tmp, ignore_errors=True)
        tmp.mkdir(mode=0o700)
        (self.state / "pid").unlink(missing_ok=True)
        return ended

    def _pid(self) -> int | None:
        """The emulator's process. The file may be stale; who holds the lock names itself in its answers."""
        for pid in processes.naming(str(self._settings_file)):
            return pid
        return None

    def _last_words(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].rpartition("Moved: ")[2] if lines else "it said nothing"

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = error.filename or self.state
            hint = "make room on the disk" if error.errno == 28 else "choose another folder with --home"
            raise LocalError(f"{where}: {error.strerror}", hint=hint) from error
        except ServerError as error:
            raise LocalError(error.message, hint=error.hint) from error


_children: list[subprocess.Popen[bytes]] = []


def ask(settings: LocalSettings, what: str, body: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Ask the emulator's process; None when it does not answer."""
    data = None if body is None else json.dumps(body).encode()
    with contextlib.suppress(urllib.error.URLError, OSError, ValueError):
        request = urllib.request.Request(f"{settings.url}/_gymops/{what}", data)  # noqa: S310 - ours
        # Around any proxy: it is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    return None


def _write(file: Path, text: str) -> None:
    """All of it or nothing: half a file would pass for a damaged state."""
    new = file.with_suffix(".new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]
