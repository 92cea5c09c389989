"""How an operation ends: detached, not known, failed, recovered from; and what is no failure."""

from __future__ import annotations

from typing import Any

import pytest

from gymops.aws.session import AwsError
from gymops.deploy.release.operation import State
from gymops.deploy.release.plan import Outcome, Plan
from gymops.deploy.release.run import StepRollbackFailed, StepRolledBack
from gymops.errors import Detached, GateRefused, GymopsError, Unknown
from tests.unit.deploy.release.bench import Bench, Failed


def test_ctrl_c_detaches_and_leaves_everything_as_it_is(bench: Bench) -> None:
    plan = Plan((bench.step("build"), bench.step("stack", KeyboardInterrupt())), (bench.step("undo"),))
    with pytest.raises(Detached, match=r"detached from deploy prod \(op-.*\) at the step stack") as told:
        bench.go(plan)
    assert (told.value.exit_code, told.value.code) == (8, "detached")
    assert told.value.hint == "gymops attach prod, or again: gymops deploy prod"
    assert [step.state for step in bench.latest.steps] == [State.DONE, State.BEGUN]
    assert not bench.latest.finished
    assert bench.names == ["build", "stack"]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (AwsError("the stack: expired", reason="ExpiredToken", unknown=True), Unknown),
        (Unknown("nobody knows"), Unknown),
        (Detached("let go"), Detached),
    ],
)
def test_what_is_not_known_is_no_failure(bench: Bench, error: GymopsError, raised: type[Exception]) -> None:
    plan = Plan((bench.step("stack", error),), (bench.step("undo"),))
    with pytest.raises(raised) as told:
        bench.go(plan)
    assert isinstance(told.value, GymopsError)
    assert told.value.exit_code == 8
    assert error.message in told.value.message
    assert bench.latest.steps[0].state is State.BEGUN
    assert not bench.latest.finished
    assert bench.names == ["stack"]


def test_a_journal_that_cannot_be_written_is_no_failure_of_the_step(bench: Bench) -> None:
    def away(_: str) -> None:
        if bench.did:
            raise AwsError("s3://releases: no answer", reason="Unreachable", unknown=True)

    bench.objects.before = away
    plan = Plan((bench.step("stack", "made"),), (bench.step("undo"),))
    with pytest.raises(Unknown, match="may still be running"):
        bench.go(plan)
    bench.objects.before = lambda _: None
    assert bench.latest.steps[0].state is State.BEGUN
    assert bench.go(plan).outcome is Outcome.SUCCEEDED


def test_a_failed_step_is_followed_by_the_recovery(bench: Bench) -> None:
    error = Failed("the smoke test: 500", hint="gymops logs prod")
    plan = Plan(
        (bench.step("stack"), bench.step("smoke", error), bench.step("shift")),
        (bench.step("alias-back"), bench.step("record")),
    )
    with pytest.raises(Failed) as told:
        bench.go(plan)
    assert told.value is error
    assert bench.names == ["stack", "smoke", "alias-back", "record"]
    assert bench.did[2].failure == bench.latest.failure
    assert bench.latest.failure
    assert (bench.latest.failure.message, bench.latest.failure.step) == ("the smoke test: 500", "smoke")
    assert (bench.latest.outcome, bench.latest.why) == (Outcome.FAILED, "the smoke test: 500")


class Back(Failed):
    """The stack rolled itself back."""

    exit_code = 5


@pytest.mark.parametrize(
    ("error", "recovery", "outcome", "code"),
    [
        (Failed("no"), ["done"], Outcome.FAILED, 1),
        (Back("no"), ["done"], Outcome.ROLLED_BACK, 5),
        (Failed("no"), [Outcome.ROLLED_BACK, "done"], Outcome.ROLLED_BACK, 5),
        (Failed("no"), [Failed("worse"), "done"], Outcome.ROLLBACK_FAILED, 6),
        (Back("no"), [Failed("worse"), Outcome.ROLLED_BACK], Outcome.ROLLBACK_FAILED, 6),
        (GateRefused("no"), [], Outcome.FAILED, 4),
    ],
)  # fmt: skip
def test_the_recovery_decides_the_outcome_and_the_exit_code(
    bench: Bench, error: GymopsError, recovery: list[Any], outcome: Outcome, code: int
) -> None:
    steps = tuple(bench.step(f"r{n}", result) for n, result in enumerate(recovery))
    with pytest.raises(GymopsError, match=r"^no$") as told:
        bench.go(Plan((bench.step("stack", error),), steps))
    assert told.value.exit_code == code
    assert bench.latest.outcome is outcome
    assert bench.names == ["stack", *(step.name for step in steps)]


@pytest.mark.parametrize(
    ("result", "kind"), [(Outcome.ROLLED_BACK, StepRolledBack), (Failed("x"), StepRollbackFailed)]
)
def test_a_recovery_that_was_killed_goes_on_and_still_tells_why(
    bench: Bench, result: Any, kind: type[GymopsError]
) -> None:
    def plan(undo: Any) -> Plan:
        return Plan((bench.step("stack", Failed("no", hint="look")),), (bench.step("undo", undo),))

    with pytest.raises(SystemExit):
        bench.go(plan(SystemExit()))
    with pytest.raises(kind, match=r"^no$") as told:
        bench.go(plan(result))
    assert told.value.hint == "look"
    assert bench.names == ["stack", "undo", "undo"]


def test_a_bug_in_a_step_leaves_it_begun(bench: Bench) -> None:
    with pytest.raises(ZeroDivisionError):
        bench.go(Plan((bench.step("stack", ZeroDivisionError()),), (bench.step("undo"),)))
    assert bench.latest.steps[0].state is State.BEGUN
    assert bench.names == ["stack"]
