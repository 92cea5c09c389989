"""The lock names its holder, outlives no process and is never taken away."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest

from gymops.clock import SystemClock
from gymops.errors import LockHeld
from gymops.pg import lock as module
from gymops.pg.connection import DatabaseError, Kind, connect
from gymops.pg.lock import AdvisoryLock, hold, identity, key

CLOCK = SystemClock()
# Takes the lock and then keeps its session busy, as a server in the middle of a long statement is.
CHILD = """
import sys
from gymops.clock import SystemClock
from gymops.pg.lock import hold
with hold(sys.argv[1], "migrate", clock=SystemClock(), holder="migrate") as lock:
    print("held", flush=True)
    lock.connection.execute("SELECT pg_sleep(60)")
"""


class Impatient(SystemClock):
    """A clock on which a second of sleep takes a hundredth."""

    def __init__(self) -> None:
        self.slept = 0.0

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        time.sleep(seconds / 100)


@contextmanager
def child(url: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", CHILD, url], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_key_is_fixed_and_depends_on_the_name() -> None:
    # Written down: another version of gymops must find the same lock.
    assert (key("schema"), key("migrate")) == (-7764759605914611664, 7197378913127453656)


def test_an_identity_fits_into_an_application_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(rf"gymops migrate host=\S+ pid={os.getpid()} start=\w+", identity("migrate"))
    monkeypatch.setattr(os, "getpid", lambda: 4194304)
    monkeypatch.setattr(module, "_stat", lambda _: ("S", "zzzzzzz"))
    monkeypatch.setattr(socket, "gethostname", lambda: "ip-10-0-0-1.eu-central-1 compüte.internal")
    longest = identity("projections rebuild")
    assert len(longest) == 63
    assert re.fullmatch(r"gymops projection host=ip-10-0~[0-9a-f]{6} pid=4194304 start=zzzzzzz", longest)
    other = longest
    monkeypatch.setattr(socket, "gethostname", lambda: "ip-10-0-0-2.eu-central-1.compute.internal")
    assert identity("projections rebuild") != other


def test_a_living_holder_is_named_at_once(any_database: str) -> None:
    with child(any_database) as process:
        clock = Impatient()
        with (
            pytest.raises(LockHeld) as refused,
            hold(any_database, "migrate", clock=clock, holder="migrate"),
        ):
            pass
        assert clock.slept == 0
    now = f"{datetime.now(UTC):%Y-%m-%d %H:}"
    told = rf"the lock 'migrate' is held by gymops migrate on \S+, process {process.pid} "
    told += rf"\(database user gymops, backend \d+\) since {now}\d\d:\d\d UTC"
    assert re.fullmatch(told, refused.value.message), refused.value.message
    assert refused.value.hint
    assert refused.value.exit_code == 7


def test_a_killed_holder_is_waited_out(any_database: str) -> None:
    with child(any_database) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with hold(any_database, "migrate", clock=CLOCK, holder="migrate") as lock:
            lock.check()


def test_a_zombie_is_dead(any_database: str) -> None:
    with child(any_database) as process:
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with hold(any_database, "migrate", clock=CLOCK, holder="migrate"):
            pass


def _holding(url: str, application: str) -> ExitStack:
    """The lock, held by a session that says it is of another process."""
    stack = ExitStack()
    other = stack.enter_context(connect(url, autocommit=True, application=application))
    assert AdvisoryLock(other, "migrate").take()
    return stack


@pytest.mark.parametrize(
    ("application", "waits", "told"),
    [
        ("gymops migrate host={host} pid={dead} start=1", 30, "gymops migrate on {host}, process {dead}"),
        ("gymops migrate host={host} pid={pid} start=1", 30, "gymops migrate on {host}, process {pid}"),
        ("gymops migrate host=elsewhere pid=1 start=1", 3, "gymops migrate on elsewhere, process 1"),
        ("gymops migrate host={host} pid={pid} start=", 0, "gymops migrate on {host}, process {pid}"),
        ("psql", 3, "psql"),
        ("", 3, "an unnamed program"),
    ],
)
def test_how_long_a_holder_is_waited_for(database: str, application: str, waits: float, told: str) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    names = {"host": module._host(), "pid": os.getpid(), "dead": ended.pid}
    clock = Impatient()
    with (
        _holding(database, application.format(**names)),
        pytest.raises(LockHeld, match=re.escape(f"held by {told.format(**names)} (database user gymops,")),
        hold(database, "migrate", clock=clock, holder="migrate"),
    ):
        pass
    assert clock.slept == pytest.approx(waits, abs=0.2)


def test_a_lock_let_go_meanwhile_is_taken(database: str) -> None:
    stack = _holding(database, "psql")

    class Lets(Impatient):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            stack.close()

    with hold(database, "migrate", clock=Lets(), holder="migrate") as lock:
        lock.check()


def test_the_lock_is_let_go_at_the_end_even_of_a_failure(database: str) -> None:
    with (
        pytest.raises(RuntimeError, match="work"),
        hold(database, "migrate", clock=CLOCK, holder="migrate"),
    ):
        raise RuntimeError("work")
    with hold(database, "migrate", clock=CLOCK, holder="migrate"):
        pass


def test_other_names_and_other_databases_are_other_locks(database: str, gymops_database: str) -> None:
    with (
        hold(database, "migrate", clock=CLOCK, holder="migrate") as one,
        hold(database, "schema", clock=CLOCK, holder="schema") as two,
        hold(gymops_database, "migrate", clock=CLOCK, holder="migrate") as three,
    ):
        for lock in (one, two, three):
            lock.check()


def test_a_lost_lock_is_noticed(any_database: str) -> None:
    with (
        hold(any_database, "migrate", clock=CLOCK, holder="migrate") as lock,
        connect(any_database, autocommit=True) as admin,
    ):
        lock.check()
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [lock.connection.info.backend_pid])
        with pytest.raises(DatabaseError, match=r"was lost .* that held the lock 'migrate'") as lost:
            lock.check()
        assert lost.value.kind is Kind.CONNECTION_LOST
        assert "gymops db status" in (lost.value.hint or "")
        with hold(any_database, "migrate", clock=CLOCK, holder="migrate"), pytest.raises(DatabaseError):
            lock.check()


def test_a_lock_that_was_given_up_is_noticed(database: str) -> None:
    with hold(database, "migrate", clock=CLOCK, holder="migrate") as lock:
        lock.connection.execute("SELECT pg_advisory_unlock_all()")
        with pytest.raises(DatabaseError, match="is gone"):
            lock.check()


def test_a_user_who_may_see_little_still_learns_who_holds_it(database: str) -> None:
    with connect(database, autocommit=True) as admin:
        admin.execute("CREATE ROLE onlooker LOGIN")
        try:
            url = database.replace("gymops@", "onlooker@")
            with (
                hold(database, "migrate", clock=CLOCK, holder="migrate"),
                pytest.raises(
                    LockHeld, match=rf"process {os.getpid()} \(database user gymops, backend \d+\)$"
                ),
                hold(url, "migrate", clock=CLOCK, holder="migrate"),
            ):
                pass
        finally:
            admin.execute("DROP ROLE onlooker")
