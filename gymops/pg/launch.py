"""Become who PostgreSQL runs as, then turn into one of its programs. Run as a script, never imported.

``python launch.py FOLDER IDENTITY PARENT PROGRAM [ARGUMENT...]``

- FOLDER: entered as the new identity, so that a folder it cannot reach is told here and in plain words.
- IDENTITY: ``self``, ``user:UID:GID`` (switch to it) or ``namespace:UID:GID`` (be it in a user namespace).
- PARENT: the process whose end ends the program, 0 for none.

A script of its own, because what it does must happen between fork and exec: Python code there
(``preexec_fn``) can deadlock when the caller has threads.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

CANNOT = 126
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1


def _become(identity: str) -> None:
    kind, *numbers = identity.split(":")
    if kind == "self":
        return
    uid, gid = (int(number) for number in numbers)
    if kind == "user":
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        return
    outside = os.geteuid(), os.getegid()
    _call("unshare", _CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {outside[0]} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} {outside[1]} 1", encoding="ascii")


def _end_with(parent: int) -> None:
    # The kernel forgets this over a change of user, so it comes after; and the parent may be gone already.
    # SIGQUIT is PostgreSQL's immediate shutdown: it takes the children and shared memory along.
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGQUIT)
    if os.getppid() != parent:
        raise ProcessLookupError("the process that wanted it is gone")


def _call(name: str, *numbers: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*numbers) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def main(folder: str, identity: str, parent: str, program: str, *arguments: str) -> int:
    """Do it; returns only when it cannot be done."""
    os.umask(0o077)
    try:
        _become(identity)
        os.chdir(folder)
        if int(parent):
            _end_with(int(parent))
        os.execv(program, [program, *arguments])  # noqa: S606 - no shell is what is wanted
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"{where}{error.strerror or error}\n")
    return CANNOT


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
