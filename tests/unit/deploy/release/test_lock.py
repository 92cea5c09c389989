"""The lock: who has it, when it is lost, and when another may take it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gymops.aws.session import AwsError
from gymops.deploy.release.lock import Held, Lock, Owner
from gymops.deploy.release.trace import Trace
from gymops.errors import GymopsError, LockHeld, LockLost, Unknown
from tests.unit.clocks import START, FakeClock
from tests.unit.deploy.release.doubles import Recording

ANN, BOB = Owner("ann", "laptop", 42), Owner("bob", "desktop", 7)
KEY = "locks/prod.json"


def at_rest() -> bool:
    return True


def moving() -> bool:
    return False


class Bench:
    """One environment's lock, and two who want it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.objects = Recording(self.clock)
        self.ann = Lock(self.objects, "prod", ANN, self.clock)
        self.bob = Lock(self.objects, "prod", BOB, self.clock)

    @property
    def record(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.objects.bytes_of(KEY))
        return document


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_lock_says_whose_it_is_and_until_when(bench: Bench) -> None:
    assert bench.ann.holder() is None
    held = bench.ann.take(at_rest)
    held.working_on("op-00000001-ab")
    assert bench.record["owner"] == {"user": "ann", "host": "laptop", "pid": 42}
    assert (bench.record["fence"], bench.record["operation"]) == (1, "op-00000001-ab")
    assert bench.record["since"] == START.isoformat()
    assert bench.record["expires"] == (START + timedelta(seconds=60)).isoformat()
    holder = bench.bob.holder()
    assert holder
    assert (holder[0].owner, holder[1]) == (ANN, 0.0)


def test_who_comes_second_is_told_who_holds_it_and_what_to_do(bench: Bench) -> None:
    bench.ann.take(at_rest).working_on("op-00000001-ab")
    bench.clock.sleep(12)
    with pytest.raises(LockHeld) as told:
        bench.bob.take(at_rest)
    assert told.value.exit_code == 7
    assert told.value.message == (
        "prod: locked by ann@laptop (process 42) since 2026-01-01 00:00:00 UTC for op-00000001-ab,"
        " last sign of life 12 s ago; it can be taken over in 50 s"
    )
    assert told.value.hint == "gymops attach prod follows it; gymops status prod"


def test_a_released_lock_is_free_and_its_number_goes_on(bench: Bench) -> None:
    fences = []
    for lock in (bench.ann, bench.bob, bench.ann):
        held = lock.take(moving)
        fences.append(held.fence)
        held.release()
        held.release()
        assert bench.ann.holder() is None
    assert fences == [1, 2, 3]


def test_signs_of_life_keep_it(bench: Bench) -> None:
    held = bench.ann.take(at_rest)
    for _ in range(10):
        bench.clock.sleep(50)
        held.beat()
        held.check()
        with pytest.raises(LockHeld):
            bench.bob.take(at_rest)
    assert bench.record["beats"] == 10
    assert bench.record["heartbeat"] == bench.clock.now().isoformat()


def test_it_is_taken_over_when_its_time_is_over_and_the_stack_at_rest(bench: Bench) -> None:
    bench.ann.take(at_rest)
    asked: list[bool] = []

    def settled() -> bool:
        asked.append(True)
        return len(asked) > 1

    bench.clock.sleep(62)
    with pytest.raises(LockHeld, match="it can be taken over in 0 s"):
        bench.bob.take(settled)
    assert asked == []
    bench.clock.sleep(0.1)
    with pytest.raises(LockHeld, match="its time is over, but its stack is still moving"):
        bench.bob.take(settled)
    assert bench.bob.take(settled).fence == 2
    assert bench.record["owner"]["user"] == "bob"


def test_the_lock_of_a_process_that_is_gone_from_this_machine_is_taken_at_once(
    bench: Bench, tmp_path: Path
) -> None:
    here = [
        Lock(bench.objects, "prod", who, bench.clock, trace=Trace(tmp_path / "prod")) for who in (ANN, BOB)
    ]
    held = here[0].take(at_rest)
    with pytest.raises(LockHeld, match="it can be taken over in 62 s"):
        here[1].take(at_rest)
    bench.objects.before = no_answer
    held.release()
    bench.objects.before = lambda _: None
    with pytest.raises(LockHeld, match="it can be taken over in 62 s"):
        bench.bob.take(at_rest)  # from another machine
    assert here[1].take(moving).fence == 2  # as after Ctrl-C: who goes on waits for the stack


def test_so_is_one_that_was_taken_although_no_answer_came(bench: Bench, tmp_path: Path) -> None:
    ann = Lock(bench.objects, "prod", ANN, bench.clock, trace=Trace(tmp_path / "prod"))
    bench.objects.after = no_answer
    with pytest.raises(AwsError):
        ann.take(at_rest)
    bench.objects.after = lambda _: None
    assert bench.record["fence"] == 1
    assert ann.take(at_rest).fence == 2


def no_answer(_: str) -> None:
    raise AwsError("no answer", reason="Unreachable", unknown=True)


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (None, None), (GymopsError("a step failed"), None), (Unknown("no answer"), "op-1"),
        (KeyboardInterrupt(), "op-1"), (LockHeld("another"), None),
    ],
)  # fmt: skip
def test_the_next_holder_hears_of_an_operation_whose_end_was_not_seen(
    bench: Bench, error: BaseException | None, left: str | None
) -> None:
    with suppress(GymopsError, KeyboardInterrupt), bench.ann.take(at_rest) as held:
        assert held.left is None
        held.working_on("op-1")
        if error:
            raise error
    assert bench.bob.holder() is None
    with bench.bob.take(at_rest) as held:
        assert held.left == left
    with bench.bob.take(at_rest) as held:  # who did nothing about it passes it on
        assert held.left == left
        held.working_on("op-2")
    assert bench.bob.take(at_rest).left is None


def test_patience_waits_for_it(bench: Bench) -> None:
    bench.ann.take(at_rest)
    assert bench.bob.take(at_rest, patience=90).fence == 2
    assert 62 < bench.clock.monotonic() < 65
    with pytest.raises(LockHeld):
        bench.ann.take(at_rest, patience=10)


def test_who_was_overtaken_is_told_at_the_next_sign_of_life_and_at_every_step(bench: Bench) -> None:
    held = bench.ann.take(at_rest)
    overtake(bench)
    with pytest.raises(LockLost, match="another has taken it over") as told:
        held.beat()
    assert told.value.exit_code == 7
    with pytest.raises(LockLost, match="another has taken it over"):
        held.check()
    held.release()
    assert bench.record["owner"]["user"] == "bob"
    assert bench.record["released"] is None


def overtake(bench: Bench) -> Held:
    """By one whose store says that Ann's time is over, while Ann's own clock says that it is not."""
    data = bench.objects.bytes_of(KEY)
    bench.clock.sleep(63)
    taken = bench.bob.take(at_rest)
    bench.clock.sleep(-63)
    assert bench.objects.bytes_of(KEY) != data
    return taken


@pytest.mark.parametrize("act", [Held.beat, Held.check, lambda held: held.working_on("op")])
def test_whose_time_is_over_stops_and_writes_no_more(bench: Bench, act: Callable[[Held], None]) -> None:
    held = bench.ann.take(at_rest)
    before = bench.objects.bytes_of(KEY)
    bench.clock.sleep(60.5)
    with pytest.raises(LockLost, match="no sign of life could be written for 60 s"):
        act(held)
    held.release()
    assert bench.objects.bytes_of(KEY) == before
    assert bench.bob.take(at_rest, patience=5).fence == 2


def test_a_machine_that_slept_has_lost_it_though_its_steady_clock_stood_still(bench: Bench) -> None:
    class Slept(FakeClock):
        def monotonic(self) -> float:
            return 0.0

    clock = Slept()
    held = Lock(bench.objects, "prod", ANN, clock).take(at_rest)
    clock.sleep(61)
    with pytest.raises(LockLost):
        held.check()


def test_a_store_that_is_away_for_a_while_does_no_harm(bench: Bench) -> None:
    held = bench.ann.take(at_rest)

    def away(_: str) -> None:
        raise AwsError("no answer", reason="Unreachable", unknown=True)

    bench.objects.before = away
    for _ in range(2):
        bench.clock.sleep(20)
        with pytest.raises(AwsError):
            held.beat()
        held.check()
    bench.objects.before = lambda _: None
    bench.clock.sleep(19)
    held.beat()
    bench.clock.sleep(59)
    held.check()


def test_a_sign_of_life_whose_answer_was_lost_does_not_lose_the_lock(bench: Bench) -> None:
    held = bench.ann.take(at_rest)

    def lost(_: str) -> None:
        raise AwsError("no answer", reason="Unreachable", unknown=True)

    bench.objects.after = lost
    with pytest.raises(AwsError):
        held.beat()
    bench.objects.after = lambda _: None
    bench.clock.sleep(1)
    held.beat()
    held.check()
    held.release()
    assert bench.record["released"] is not None


def test_of_two_that_take_it_at_once_one_does(bench: Bench) -> None:
    def meanwhile(_: str) -> None:
        bench.objects.before = lambda _: None
        bench.bob.take(at_rest)

    bench.objects.before = meanwhile
    with pytest.raises(LockHeld, match="bob@desktop"):
        bench.ann.take(at_rest)
    bench.clock.sleep(63)
    bench.objects.before = meanwhile
    with pytest.raises(LockHeld, match="bob@desktop"):
        bench.ann.take(at_rest)
    assert bench.record["fence"] == 2


def test_a_stack_that_cannot_be_looked_at_is_not_at_rest(bench: Bench) -> None:
    bench.ann.take(at_rest)
    bench.clock.sleep(63)

    def settled() -> bool:
        raise AwsError("the stack: expired", reason="ExpiredToken", unknown=True)

    with pytest.raises(AwsError):
        bench.bob.take(settled)
    assert bench.record["owner"]["user"] == "ann"


def test_environments_have_locks_of_their_own(bench: Bench) -> None:
    bench.ann.take(at_rest)
    assert Lock(bench.objects, "staging", BOB, bench.clock).take(at_rest).fence == 1


def test_the_end_of_a_command_releases_it_whatever_happened(bench: Bench) -> None:
    with pytest.raises(KeyboardInterrupt), bench.ann.take(at_rest):
        raise KeyboardInterrupt
    assert bench.ann.holder() is None
