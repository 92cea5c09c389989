"""The files of an embedded server: its data directory, its settings, its private folders."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from gymops.errors import ServerError
from gymops.pg import process
from gymops.pg.process import Identity

OWNER = "gymops"
_INIT = "initdb-"
_CONF = "gymops.conf"

_HBA = """\
# Nobody but the owner of this folder gets as far as the socket, so nobody is asked for a password.
local  all          all  trust
local  replication  all  trust
"""

_SETTINGS = {
    # What a revision, a backup and their tests see must not depend on the machine.
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "ISO, YMD",
    "wal_level": "replica",
    # A small machine that is loaded in bulk now and then.
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "work_mem": "16MB",
    "max_wal_size": "4GB",
    # What backups have not fetched is kept, but does not fill the disk: then a new base backup is needed.
    "max_slot_wal_keep_size": "4GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",
    # The log holds no statement and no row, so no secret and nothing personal either.
    "log_line_prefix": "%m [%p] ",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
if sys.platform == "linux":
    # The backend of a client that was killed lets go of its locks after a second.
    _SETTINGS["client_connection_check_interval"] = "1s"


def prepare_home(home: Path, folder: Path) -> None:
    """Make the folder for local data and the server's folder in it: private, and out of version control.

    Raises:
        ServerError: it belongs to someone else.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = home.stat().st_uid
    if owner != os.geteuid():
        raise ServerError(
            f"{home} belongs to user {owner}, not to you ({os.geteuid()})",
            hint="run gymops as that user, or choose another folder with --home",
        )
    if not any(home.iterdir()):
        (home / ".gitignore").write_text("*\n", encoding="ascii")
    folder.mkdir(mode=0o700, exist_ok=True)


def hand_over(home: Path, folder: Path, identity: Identity) -> None:
    """Give the server's folder to the identity it runs as."""
    if identity.uid != os.geteuid():
        # The server's account may pass through home, and see nothing of it.
        os.chown(home, -1, identity.gid)
        home.chmod(0o710)
    data = folder / "data"
    if os.geteuid() == 0:
        _chown(folder, identity)
        if data.exists() and data.stat().st_uid != identity.uid:
            for place, folders, files in os.walk(data):
                for name in (*folders, *files):
                    _chown(Path(place, name), identity)
            _chown(data, identity)  # last: an interrupted walk starts again


def private_folder(path: Path, identity: Identity) -> None:
    """Make the socket's folder and make sure that nobody else put it there.

    Raises:
        ServerError: it is someone else's, or open to others.
    """
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        # After a crash it may still be that of another account the server ran as.
        ours = found.st_uid in {os.geteuid(), identity.uid, *(one.uid for one in process.candidates())}
        if not stat.S_ISDIR(found.st_mode) or not ours or stat.S_IMODE(found.st_mode) & 0o077:
            raise ServerError(
                f"{path} is needed for the server's socket, but it is not a private folder of yours",
                hint=f"remove it, or choose another folder with --home: ls -ld {path}",
            ) from None
    if os.geteuid() == 0:
        _chown(path, identity)


def initialise(
    data: Path, binaries: Path, identity: Identity, *, keep: int, durable: bool, timeout: float
) -> None:
    """Make the data directory beside its place, then move it there, so that half of one is never met.

    ``keep`` is the lock that the server's processes hold; initdb holds it too, so that nothing is still at
    work in what an earlier one left.

    Raises:
        ServerError: initdb failed.
    """
    folder = data.parent
    for leftover in folder.glob(f"{_INIT}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if data.exists() and any(data.iterdir()):
        raise ServerError(f"{data} holds files, but no database", hint=f"move it away: mv {data} {data}.old")
    new = Path(tempfile.mkdtemp(prefix=_INIT, dir=folder))
    if os.geteuid() == 0:
        _chown(new, identity)
    done = process.run(
        identity, folder, binaries / "initdb", "--pgdata", str(new), "--username", OWNER,
        "--encoding", "UTF8", "--locale", "C", "--data-checksums", "--auth", "trust",
        *([] if durable else ["--no-sync"]), timeout=timeout, keep=keep,
    )  # fmt: skip
    if done.returncode != 0:
        shutil.rmtree(new, ignore_errors=True)
        raise ServerError(f"initdb failed: {last_useful(done.stderr or done.stdout)}")
    with (new / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(f"\ninclude_if_exists = '{_CONF}'\n")
    write(new / "pg_hba.conf", _HBA, identity)
    new.rename(data)
    if durable:
        _sync(folder)


def configure(data: Path, identity: Identity) -> None:
    """Write our settings; what the owner sets with ALTER SYSTEM goes before them."""
    lines = ["# Written at every start. Set your own with ALTER SYSTEM."]
    lines += [f"{name} = '{value}'" for name, value in _SETTINGS.items()]
    write(data / _CONF, "\n".join(lines) + "\n", identity)


def data_version(data: Path) -> str | None:
    """The major version that made the data directory; None if there is none yet."""
    try:
        return (data / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


def clear_stale(data: Path, socket_dir: Path, socket: str) -> None:
    """Remove what a killed server left behind; only when it is certain that none runs.

    PostgreSQL leaves its files alone while any process has the pid in them.
    """
    for stale in (data / "postmaster.pid", socket_dir / socket, socket_dir / f"{socket}.lock"):
        stale.unlink(missing_ok=True)


def write(path: Path, text: str, identity: Identity) -> None:
    """Replace a file in one step."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    # O_EXCL: the folder may belong to another account, which must not choose what we write to.
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    if os.geteuid() == 0:
        _chown(new, identity)
    new.replace(path)


def last_useful(log: str) -> str:
    """The line of a log that says why: the last error, or just the last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\b(FATAL|PANIC|ERROR|error|could not)\b", line)]
    # What follows is its fault; where a write was short there is only the hint.
    full = [line for line in lines if re.search("No space left on device|Check free disk space", line)]
    line = (full[:1] or errors or lines or ["it said nothing"])[-1]
    return re.sub(r"^\d{4}-\d\d-\d\d \S+ UTC \[\d+\] ", "", line)


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _chown(path: Path, identity: Identity) -> None:
    found = path.lstat()
    if (found.st_uid, found.st_gid) != (identity.uid, identity.gid):
        os.chown(path, identity.uid, identity.gid, follow_symlinks=False)
