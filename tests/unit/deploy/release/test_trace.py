"""The file that tells whether the holder of a lock is gone from this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gymops.deploy.release.trace import Trace

HOLD = """
import sys
from pathlib import Path
from gymops.deploy.release.trace import Trace
Trace(Path(sys.argv[1])).keep("n1")
print("kept", flush=True)
sys.stdin.read()
"""


def test_a_holder_is_gone_when_it_says_so_or_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "locks" / "prod"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"kept\n"
        assert not Trace(file).gone("n1")
        Trace(file).keep("n2")  # it is not ours to write
        holder.kill()
        holder.wait(60)
    assert Trace(file).gone("n1")
    assert not Trace(file).gone("n2")


def test_the_next_lock_of_this_machine_leaves_nothing_of_the_last(tmp_path: Path) -> None:
    first, second = Trace(tmp_path / "prod"), Trace(tmp_path / "prod")
    first.keep("a-long-one")
    first.end()
    second.keep("n2")
    assert not first.gone("n2")
    second.end()
    second.end()
    assert first.gone("n2")


def test_version_control_does_not_see_it(tmp_path: Path) -> None:
    Trace(tmp_path / "locks" / "prod").keep("n1")
    assert (tmp_path / "locks" / ".gitignore").read_text(encoding="ascii") == "*\n"


@pytest.mark.parametrize("file", ["no/such", "."])
def test_where_nothing_can_be_written_nothing_is_known(tmp_path: Path, file: str) -> None:
    (tmp_path / "no").touch()
    trace = Trace(tmp_path / file)
    trace.keep("n1")
    trace.end()
    assert not trace.gone("n1")
