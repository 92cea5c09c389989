"""Traffic moves step by step, and comes back at the first sign of trouble."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from gymops.deploy.smoke import Asked
from gymops.deploy.traffic import Returned, Shape, Step, Watched, move
from gymops.errors import ConfigError
from tests.unit.clocks import FakeClock


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("AllAtOnce", []),
        ("Canary10Percent5Minutes", [(10, 300)]),
        ("Canary25Percent30Seconds", [(25, 30)]),
        ("Linear10PercentEvery1Minute", [(share, 60) for share in range(10, 100, 10)]),
        ("Linear30PercentEvery2Minutes", [(30, 120), (60, 120), (90, 120)]),
        ("Linear50PercentEvery10Seconds", [(50, 10)]),
    ],
)
def test_a_shape_is_its_steps(name: str, steps: list[tuple[int, float]]) -> None:
    assert Shape.parse(name).steps == tuple(Step(*step) for step in steps)


@pytest.mark.parametrize(
    "name",
    ["", "canary", "Canary0Percent5Minutes", "Canary100Percent5Minutes", "Canary10Percent", "AllAtOnce5"],
)
def test_what_is_no_shape_is_refused_with_examples(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Shape.parse(name)
    assert refused.value.hint
    assert "Canary10Percent5Minutes" in refused.value.hint


@dataclass
class FakeAlias:
    version: str = "1"
    history: list[tuple[str, str, float]] = field(default_factory=list)

    def now(self) -> str:
        return self.version

    def split(self, version: str, other: str, share: float) -> None:
        self.history.append((version, other, share))

    def point(self, version: str) -> None:
        self.version = version
        self.history.append((version, "", 0))


def good(version: str, seconds: float = 0.1) -> Asked:
    return Asked("/", 200, seconds, version)


def run(
    alias: FakeAlias,
    shape: str,
    *answers: Asked,
    alarms: list[list[str]] | None = None,
    clock: FakeClock | None = None,
) -> list[str]:
    told = iter(alarms or [])
    return list(
        move(
            alias, "2", Shape.parse(shape), ask=lambda: answers, alarms=lambda: next(told, []),
            clock=clock or FakeClock(), every=10,
        )
    )  # fmt: skip


def test_all_at_once_looks_once() -> None:
    alias = FakeAlias()
    assert run(alias, "AllAtOnce", good("2")) == ["version 2 serves"]
    assert alias.history == [("2", "", 0)]


def test_a_canary_waits_its_time_and_goes_on() -> None:
    alias, clock = FakeAlias(), FakeClock()
    assert run(alias, "Canary10Percent5Minutes", good("1"), good("2"), clock=clock) == [
        "10% of the requests go to version 2",
        "version 2 serves",
    ]
    assert alias.history == [("1", "2", 0.1), ("2", "", 0)]
    assert clock.monotonic() == 300


def test_a_step_is_not_over_before_there_is_enough_to_tell_by() -> None:
    alias, clock = FakeAlias(), FakeClock()
    run(alias, "Canary10Percent20Seconds", good("1"), good("2"), clock=clock)
    assert clock.monotonic() == 40  # the fifth look, and the 20 seconds were three


def test_a_share_that_brings_nobody_ends_all_the_same() -> None:
    alias, clock = FakeAlias(), FakeClock()
    run(alias, "Canary10Percent20Seconds", good("1"), clock=clock)
    assert clock.monotonic() == 990
    assert alias.version == "2"


def test_linear_goes_step_by_step() -> None:
    alias, clock = FakeAlias(), FakeClock()
    run(alias, "Linear30PercentEvery1Minute", good("2"), clock=clock)
    assert [share for _, _, share in alias.history] == [0.3, 0.6, 0.9, 0]
    assert clock.monotonic() == 180


def test_a_failure_of_the_new_version_returns_everything() -> None:
    alias = FakeAlias()
    with pytest.raises(Returned, match=r"/ through the alias: 502, no.*version 1 serves again") as refused:
        run(alias, "Canary10Percent5Minutes", Asked("/", 502, 0.1, "2", "no"))
    assert refused.value.exit_code == 5
    assert alias.history == [("1", "2", 0.1), ("1", "", 0)]


def test_a_failure_after_the_last_step_returns_everything_too() -> None:
    alias = FakeAlias()
    with pytest.raises(Returned, match="no answer"):
        run(alias, "AllAtOnce", Asked("/", None, 0.1, "2"))
    assert alias.version == "1"


def test_a_failure_of_the_old_version_is_no_fault_of_the_new_one() -> None:
    alias = FakeAlias()
    run(alias, "Canary10Percent5Minutes", Asked("/", 502, 0.1, "1"), good("2"))
    assert alias.version == "2"


def test_an_alarm_returns_everything() -> None:
    alias = FakeAlias()
    with pytest.raises(Returned, match="the alarm latency rings"):
        run(alias, "Canary10Percent5Minutes", good("2"), alarms=[[], [], ["latency"]])
    assert alias.version == "1"


def test_an_alarm_that_rang_before_does_not() -> None:
    alias = FakeAlias()
    run(alias, "Canary10Percent5Minutes", good("2"), alarms=[["disk"]] * 100)
    assert alias.version == "2"


def test_a_slow_version_returns_everything() -> None:
    alias = FakeAlias()
    with pytest.raises(Returned, match="version 2 takes 900 ms, version 1 100 ms"):
        run(alias, "Canary10Percent5Minutes", good("1"), good("2", 0.9))
    assert alias.version == "1"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([0.1] * 5, [3.0, 0.1, 0.1, 0.1, 0.1]),  # a cold start
        ([0.01] * 5, [0.2] * 5),  # many times as slow, and still quick
        ([1.0] * 5, [1.9] * 5),
        ([0.1] * 5, [9.0] * 4),  # not enough to tell
    ],
)
def test_what_is_not_slow(old: list[float], new: list[float]) -> None:
    watched = Watched()
    for one in [*(good("1", value) for value in old), *(good("2", value) for value in new)]:
        watched.add(one)
    assert watched.trouble("1", "2") is None


def test_run_again_it_finds_the_version_serving() -> None:
    alias = FakeAlias("2")
    assert run(alias, "Canary10Percent5Minutes") == ["version 2 serves already"]
    assert alias.history == [("2", "", 0)]  # what a killed run split is joined
