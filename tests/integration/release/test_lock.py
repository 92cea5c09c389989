"""The lock among real processes: two at once, one that is killed, one that was only asleep."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gymops.deploy.release import lock
from gymops.deploy.release.journal import Journal
from gymops.deploy.release.lock import Held, Lock, Owner
from gymops.deploy.release.plan import Outcome
from gymops.deploy.release.run import carry_out
from gymops.errors import LockHeld
from tests.integration.release.plans import CLOCK, REQUEST, Effects, plan, store
from tests.local_aws import Aws, unique, until

ME = Owner("bob", "there", os.getpid())


class Bench:
    """A directory of objects, and commands on it."""

    def __init__(self, folder: Path, place: dict[str, str]) -> None:
        self.folder = folder
        self.place = place
        self.objects = store(place)
        self.go = folder / "go"
        self.lock = Lock(self.objects, "staging", ME, CLOCK)

    @contextmanager
    def command(self, *, waits: bool = True, seconds: float = 60.0) -> Iterator[subprocess.Popen[str]]:
        given: dict[str, Any] = {
            "store": self.place, "effects": str(self.folder / "effects"),
            "plan": "two", "seconds": seconds, "wait": str(self.go) if waits else None,
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.release.plans", json.dumps(given)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            if waits:
                assert process.stdout
                assert process.stdout.readline() == "waiting\n"
            yield process
        finally:
            process.kill()
            process.communicate()

    def carry_on(self) -> Any:
        """The same command in this process."""
        wanted = plan("two", Effects(self.folder / "effects"))
        with self.lock.take(lambda: True) as held:
            return carry_out(
                Journal(self.objects, "staging", CLOCK).begin(REQUEST, wanted, held), wanted, CLOCK
            )


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(lock, "_SLACK", 0.5)
    return Bench(tmp_path, {"folder": str(tmp_path / "objects")})


@pytest.fixture(params=["directory", "s3"])
def any_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    if request.param == "directory":
        return Bench(tmp_path, {"folder": str(tmp_path / "objects")})
    aws: Aws = request.getfixturevalue("aws")
    bucket = unique("releases")
    aws.client("s3").create_bucket(Bucket=bucket)
    return Bench(tmp_path, {"url": aws.settings.url, "bucket": bucket})


def test_a_second_command_is_refused_while_the_first_works(bench: Bench) -> None:
    with bench.command() as first, bench.command(waits=False) as second:
        told = json.loads(second.communicate(timeout=60)[0])
        assert second.returncode == 7
        assert told["error"]["code"] == "locked"
        assert f"locked by ann@here (process {first.pid})" in told["error"]["message"]
        assert "for op-00000001-" in told["error"]["message"]
        bench.go.touch()
        assert first.wait(60) == 0
    assert bench.lock.holder() is None


def test_signs_of_life_are_written_while_a_step_works(bench: Bench) -> None:
    with bench.command(seconds=3.0) as first:
        until(lambda: (found := bench.lock.holder()) and found[0].beats > 1)  # the first tells the operation
        with pytest.raises(LockHeld):
            bench.lock.take(lambda: True)
        bench.go.touch()
        assert first.wait(60) == 0


@pytest.mark.long
def test_the_lock_of_a_killed_command_is_taken_over_when_its_stack_is_at_rest(any_bench: Bench) -> None:
    with any_bench.command(seconds=3.0) as first:
        first.kill()
        first.wait(60)
    until(lambda: (found := any_bench.lock.holder()) and found[0].expired(found[1]))
    with pytest.raises(LockHeld, match="still moving"):
        any_bench.lock.take(lambda: False)
    operation = any_bench.carry_on()
    assert (operation.number, operation.outcome, operation.fence) == (1, Outcome.SUCCEEDED, 2)
    assert all(len(lines) == 1 for lines in Effects(any_bench.folder / "effects").counted().values())


@pytest.mark.long
def test_a_command_that_was_only_asleep_writes_nothing_when_it_wakes(any_bench: Bench) -> None:
    with any_bench.command(seconds=3.0) as first:
        first.send_signal(signal.SIGSTOP)
        until(lambda: (found := any_bench.lock.holder()) and found[0].expired(found[1]))
        operation = any_bench.carry_on()
        any_bench.go.touch()
        first.send_signal(signal.SIGCONT)
        told = json.loads(first.communicate(timeout=60)[0])
        assert first.returncode == 7
        assert told["error"]["code"] == "lock_lost"
    assert Journal(any_bench.objects, "staging", CLOCK).latest() == operation
    assert operation.fence == 2


def test_ctrl_c_detaches_and_releases_the_lock(bench: Bench) -> None:
    with bench.command() as first:
        first.send_signal(signal.SIGINT)
        told = json.loads(first.communicate(timeout=60)[0])
        assert (first.returncode, told["error"]["code"]) == (8, "detached")
        assert "gymops attach staging" in told["error"]["hint"]
    assert bench.lock.holder() is None
    assert bench.carry_on().number == 1


def test_of_eight_that_take_it_at_once_one_does_and_the_numbers_grow_by_one(bench: Bench) -> None:
    for turn in range(1, 6):
        held, refused = _race(bench.lock)
        assert (len(held), refused) == (1, 7)
        assert held[0].fence == turn
        held[0].release()


def _race(wanted: Lock) -> tuple[list[Held], int]:
    start = threading.Barrier(8)
    held: list[Held] = []
    refused: list[LockHeld] = []

    def take() -> None:
        start.wait()
        try:
            held.append(wanted.take(lambda: True))
        except LockHeld as error:
            refused.append(error)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return held, len(refused)
