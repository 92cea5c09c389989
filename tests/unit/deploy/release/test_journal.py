"""The journal: what is begun, gone on with, refused, given up, and what is no failure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from gymops.deploy.release.journal import Journal, Unfinished
from gymops.deploy.release.operation import Operation, State
from gymops.deploy.release.plan import Context, Happened, Outcome, Plan, Request, Step
from gymops.deploy.release.records import RecordError, SecretInRecord
from gymops.deploy.release.run import carry_out
from gymops.errors import ConfigError, GateRefused, GymopsError, LockLost
from tests.unit.clocks import START
from tests.unit.deploy.release.bench import Bench, Failed
from tests.unit.deploy.release.doubles import DEPLOY, Guard

TOKEN = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")  # CloudFormation's, for change sets and requests
KEY = "operations/prod/00000001.json"


def test_every_step_is_written_down_before_and_after_it(bench: Bench) -> None:
    states: list[list[str]] = []

    def look(_: str) -> None:
        operation = bench.journal.latest()
        states.append([step.state.value for step in operation.steps] if operation else [])

    bench.objects.after = look
    operation = bench.go(Plan((bench.step("build"), bench.step("shift"))))
    assert states == [
        ["pending", "pending"], ["begun", "pending"], ["done", "pending"], ["done", "begun"],
        ["done", "done"], ["done", "done"],
    ]  # fmt: skip
    assert operation == bench.latest
    assert (operation.outcome, operation.finished) == (Outcome.SUCCEEDED, True)
    assert operation.ended == bench.clock.now()
    assert operation.durations == {"build": 1.5, "shift": 1.5}


def test_a_step_is_told_what_those_before_it_returned_and_a_token_of_its_own(bench: Bench) -> None:
    operation = bench.go(Plan((bench.step("build", {"digest": ("a", 1)}), bench.step("shift-traffic"))))
    first, second = bench.did
    assert (first.results, second.results) == ({}, {"build": {"digest": ["a", 1]}})
    assert (first.attempt, second.attempt) == (1, 1)
    assert second.token == f"{operation.id}-shift-traffic"
    assert all(TOKEN.fullmatch(context.token) for context in bench.did)
    assert operation.id.startswith("op-00000001-")


def test_the_next_command_begins_the_next_operation(bench: Bench) -> None:
    plan = Plan((bench.step("build"),))
    assert [bench.go(plan).number for _ in range(3)] == [1, 2, 3]
    assert bench.journal.unfinished() is None
    assert bench.journal.get(2) != bench.journal.get(3)
    assert bench.journal.get(4) is None


def test_the_same_command_goes_on_where_it_was_killed(killed: Bench) -> None:
    before = killed.latest
    asked_again = replace(DEPLOY, who="bob@desktop", command="gymops deploy  prod")
    plan = Plan((killed.step("build"), killed.step("stack", "s"), killed.step("shift")))
    operation = killed.go(plan, asked_again, Guard(fence=2))
    assert killed.names == ["stack", "shift"]
    assert [context.attempt for context in killed.did] == [2, 1]
    assert killed.did[0].results == {"build": "b"}
    assert killed.did[0].token == f"{before.id}-stack"
    assert (operation.id, operation.fence, operation.request.who) == (before.id, 2, "ann@laptop")


@pytest.mark.parametrize(("found", "done"), [(Happened("was there"), []), (None, ["stack"])])
def test_a_step_that_was_begun_looks_first(killed: Bench, found: Happened | None, done: list[str]) -> None:
    looked: list[str] = []

    def look(context: Context) -> Happened | None:
        looked.append(context.step)
        return found

    steps = [killed.step(name, "done", look=look) for name in ("build", "stack", "shift")]
    plan = Plan(tuple(steps))
    with pytest.raises(Unfinished, match="other steps"):  # it began with steps that need no look
        killed.go(plan)
    killed.objects.overwrite(KEY, _with_plan(killed.latest, plan))
    operation = killed.go(plan)
    assert looked == ["stack"]
    assert killed.names == [*done, "shift"]
    assert operation.results["stack"] == ("done" if done else "was there")


def _with_plan(operation: Operation, plan: Plan) -> bytes:
    from gymops.deploy.release.records import dump

    return dump(replace(operation, plan=plan.digest))


@pytest.mark.parametrize(
    "other",
    [
        replace(DEPLOY, verb="rollback"), replace(DEPLOY, parameters={"Size": "1024"}),
        replace(DEPLOY, artefact="sha256:2"),
    ],
)  # fmt: skip
def test_another_command_is_told_what_is_unfinished_and_what_to_do(killed: Bench, other: Request) -> None:
    with pytest.raises(Unfinished) as told:
        killed.go(Plan((killed.step("build"), killed.step("stack"), killed.step("shift"))), other)
    error = told.value
    assert "other steps" not in error.message
    assert error.exit_code == 4
    assert error.operation == killed.journal.unfinished()
    assert "deploy op-00000001-n1, begun by ann@laptop at 2026-01-01 00:00:00 UTC" in error.message
    assert "at the step stack" in error.message
    assert error.hint == (
        "gymops deploy prod goes on with it; gymops attach prod --abandon op-00000001-n1 gives it up"
    )
    assert killed.did == []


def test_an_operation_is_given_up_by_its_id_and_never_gone_on_with(killed: Bench) -> None:
    with pytest.raises(Unfinished):
        killed.journal.abandon("op-00000009-x", "a typing error", Guard(2))
    given_up = killed.journal.abandon(killed.latest.id, "the stack was mended by hand", Guard(2))
    assert (given_up.outcome, given_up.why) == (Outcome.ABANDONED, "the stack was mended by hand")
    assert given_up.steps[1].state is State.BEGUN
    assert killed.latest == given_up
    assert killed.go(Plan((killed.step("build"),)), guard=Guard(2)).number == 2
    with pytest.raises(GateRefused, match="nothing is unfinished"):
        killed.journal.abandon(given_up.id, "again", Guard(2))


def left_behind(bench: Bench, fence: int = 2) -> Guard:
    """A lock whose former holder did not see the end of the last operation."""
    guard = Guard(fence)
    guard.left = bench.latest.id
    return guard


def test_what_ended_unseen_is_told_and_not_done_again(bench: Bench) -> None:
    plan = Plan((bench.step("build", "b"),))
    first = bench.go(plan)
    assert bench.go(plan, guard=left_behind(bench)) == first
    assert bench.names == ["build"]
    other = replace(DEPLOY, artefact="sha256:2")
    assert bench.go(plan, other, left_behind(bench)).number == 2
    assert bench.go(plan, guard=Guard(2)).number == 3


def test_what_failed_unseen_is_told_too(bench: Bench) -> None:
    plan = Plan((bench.step("build", Failed("it failed")),))
    for guard in Guard(1), left_behind:
        with pytest.raises(GymopsError, match="it failed"):
            bench.go(plan, guard=guard if isinstance(guard, Guard) else guard(bench))
    assert bench.names == ["build"]


def test_what_was_given_up_is_not_told_but_begun_anew(killed: Bench) -> None:
    given_up = killed.journal.abandon(killed.latest.id, "mended by hand", Guard(2))
    plan = Plan((killed.step("build"), killed.step("stack"), killed.step("shift")))
    assert killed.go(plan, guard=left_behind(killed)).number == given_up.number + 1


def test_whoever_was_overtaken_writes_no_more(bench: Bench) -> None:
    newer: list[Operation] = []

    def overtaken(_: Context) -> None:
        newer.append(bench.go(Plan((bench.step("build"), bench.step("shift"))), guard=Guard(2)))

    plan = Plan((Step("build", overtaken), bench.step("shift")))
    with pytest.raises(LockLost, match="took over op-00000001") as told:
        bench.go(plan)
    assert told.value.exit_code == 7
    assert bench.latest == newer[0]
    assert bench.names == ["build", "shift"]


def test_going_on_is_written_down_before_anything_is_done(killed: Bench) -> None:
    plan = Plan((killed.step("build"), killed.step("stack"), killed.step("shift")))
    former = killed.journal.begin(DEPLOY, plan, Guard(2))
    killed.journal.begin(DEPLOY, plan, Guard(3))
    with pytest.raises(LockLost):
        former.write(former.operation)
    assert killed.latest.fence == 3


def test_whoever_has_an_older_lock_begins_nothing(bench: Bench) -> None:
    plan = Plan((bench.step("build"),))
    bench.go(plan, guard=Guard(5))
    with pytest.raises(LockLost):
        bench.go(plan, guard=Guard(4))
    with pytest.raises(SystemExit):
        bench.go(Plan((bench.step("build", SystemExit()),)), guard=Guard(5))
    with pytest.raises(LockLost):
        bench.go(plan, guard=Guard(4))
    with pytest.raises(LockLost):
        bench.journal.abandon(bench.latest.id, "old", Guard(4))


def test_a_lock_that_is_lost_stops_the_operation_between_two_steps(bench: Bench) -> None:
    guard = Guard()

    def lose(_: Context) -> None:
        guard.lost = LockLost("gone")

    with pytest.raises(LockLost, match="gone"):
        bench.go(Plan((Step("build", lose), bench.step("shift"))), guard=guard)
    assert [step.state for step in bench.latest.steps] == [State.DONE, State.PENDING]
    assert bench.did == []


def test_of_two_that_begin_at_once_one_does(bench: Bench) -> None:
    other = Journal(bench.objects, "prod", bench.clock)
    plan = Plan((bench.step("build"),))

    def meanwhile(_: str) -> None:
        bench.objects.before = lambda _: None
        other.begin(replace(DEPLOY, verb="rollback"), plan, Guard())

    bench.objects.before = meanwhile
    with pytest.raises(Unfinished, match="rollback"):
        bench.go(plan)


def test_others_are_told_what_the_lock_is_held_for(bench: Bench) -> None:
    guard = Guard()
    operation = bench.go(Plan((bench.step("build"),)), guard=guard)
    assert guard.told == [operation.id]


def test_what_json_has_no_form_for_is_no_result(bench: Bench) -> None:
    with pytest.raises(TypeError, match="has no form in JSON"):
        bench.go(Plan((bench.step("stack", {1, 2}),)))


def test_no_secret_gets_into_the_journal(bench: Bench) -> None:
    secret = "postgresql://app:Xq7Rw2Zp9Lk4@db.internal/gym"
    with pytest.raises(SecretInRecord) as told:
        bench.go(Plan((bench.step("secret", {"url": secret}),)))
    assert secret not in told.value.message
    assert "url" in told.value.message
    bench.journal.abandon(bench.latest.id, "a bug", Guard())
    with pytest.raises(Failed, match="cannot reach"):
        bench.go(Plan((bench.step("secret", Failed(f"cannot reach {secret}")),)))
    with pytest.raises(SecretInRecord):
        bench.go(Plan((bench.step("build"),)), replace(DEPLOY, parameters={"Url": secret}))
    assert not any(b"Xq7Rw2Zp9Lk4" in data for _, data in bench.objects.written)
    assert bench.latest.failure
    assert bench.latest.failure.message == "****"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda _: "", "no JSON object"),
        (lambda _: "[]", "no JSON object"),
        (lambda text: text.replace('"begun"', '"done"'), "its digest is another"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "by a later gymops"),
    ],
)
def test_a_damaged_record_is_named_and_nothing_begins(
    killed: Bench, damage: Callable[[str], str], said: str
) -> None:
    killed.objects.overwrite(KEY, damage(killed.objects.bytes_of(KEY).decode()).encode())
    with pytest.raises(RecordError, match=said) as told:
        killed.go(Plan((killed.step("build"),)))
    assert KEY in told.value.message


def test_a_record_is_a_document_for_people_too(killed: Bench) -> None:
    document = json.loads(killed.objects.bytes_of(KEY))
    assert document["request"]["verb"] == "deploy"
    assert document["started"] == START.isoformat()
    assert [step["state"] for step in document["steps"]] == ["done", "begun", "pending"]
    assert dict(killed.latest.as_dict()) == {k: v for k, v in document.items() if k != "sha256"}


@pytest.mark.parametrize("name", ["", "Build", "build it", "1st", "x" * 61, "a/b"])
def test_a_step_that_cannot_be_part_of_a_token_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(ValueError, match="token"):
        bench.step(name)


def test_two_steps_of_one_name_are_refused(bench: Bench) -> None:
    with pytest.raises(ValueError, match="one name"):
        Plan((bench.step("build"),), (bench.step("build"),))


@pytest.mark.parametrize("name", ["", "../prod", "a/b", ".prod", "x" * 101])
def test_a_name_that_is_no_part_of_a_key_is_no_environment(bench: Bench, name: str) -> None:
    with pytest.raises(ConfigError):
        Journal(bench.objects, name, bench.clock)


def test_progress_is_told(bench: Bench) -> None:
    told: list[tuple[str | None, Outcome | None]] = []
    plan = Plan((bench.step("build"),))
    entry = bench.journal.begin(DEPLOY, plan, Guard())
    carry_out(
        entry,
        plan,
        bench.clock,
        lambda operation: told.append(
            (operation.current.state if operation.current else None, operation.outcome)
        ),
    )
    assert told == [("pending", None), ("begun", None), (None, None), (None, Outcome.SUCCEEDED)]
