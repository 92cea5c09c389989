"""Ctrl-C ends every command, also one whose way out is blocked."""

from __future__ import annotations

import signal
import subprocess
import sys

# A command that never gets out of a lock once it is interrupted: what a signal at the wrong moment
# does to any library that uses locks.
_BLOCKED = """
import threading
from gymops import cli

cli.GRACE_SECONDS = 0.2
lock = threading.Lock()

def blocked(*arguments, **options):
    print("ready", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        lock.acquire()
        lock.acquire()

cli.root.main = blocked
cli.main(["db", "status"])
"""


def test_a_blocked_way_out_is_not_waited_for() -> None:
    command = [sys.executable, "-c", _BLOCKED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.startswith("error: interrupted")
    assert "Traceback" not in told
