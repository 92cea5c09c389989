"""Attach: an operation is followed to its end, named when nobody is at it, or given up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gymops.deploy.release.journal import Entry, Journal, Unfinished
from gymops.deploy.release.ledger import Ledger, Release, last_good, targets
from gymops.deploy.release.lock import Held, Lock, Owner
from gymops.deploy.release.operation import Operation, State
from gymops.deploy.release.plan import Failure, Outcome, Plan, Request, Step
from gymops.deploy.release.run import StepFailed, StepRollbackFailed, StepRolledBack
from gymops.deploy.stack.errors import RolledBack
from gymops.deploy.verbs.attach import abandon, attach
from gymops.deploy.verbs.deploy import deploy
from gymops.deploy.verbs.failures import Declined
from gymops.deploy.verbs.promote import promote
from gymops.deploy.verbs.rollback import rollback
from gymops.deploy.verbs.site import Site
from gymops.errors import ConfigError, Detached, GateRefused, GymopsError, LockHeld
from tests.unit.clocks import FakeClock
from tests.unit.deploy.verbs.world import World, built

OLU, MARA = Owner("olu", "desk", 1), Owner("mara", "laptop", 7)
PLAN = Plan((Step("upload", lambda _: None), Step("stack", lambda _: None)))


class Director(FakeClock):
    """A clock under which something happens at each sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.acts: list[Callable[[], object]] = []

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.acts:
            self.acts.pop(0)()


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World("staging", clock=Director())
    release(found, tmp_path, "one")
    found.said.clear()
    return found


def release(world: World, folder: Path, text: str) -> Release:
    return deploy(world.site(), built(folder, text), MARA, token="t")


def half(world: World, folder: Path, text: str) -> Operation:
    """A release whose process died at its stack."""
    world.dies_at = (len(world.effects) + 2, False)
    with suppress(Detached):
        release(world, folder, text)
    world.dies_at = None
    found = journal(world).unfinished()
    assert found
    return found


def journal(world: World) -> Journal:
    return Journal(world.store, "staging", world.clock)


def begun(world: World) -> tuple[Held, Entry]:
    """Another process that has just begun."""
    held = Lock(world.store, "staging", OLU, world.clock).take(lambda: True)
    request = Request("deploy", "gymops deploy staging", "olu", {"template": "sha256:t"}, "sha256:a")
    return held, journal(world).begin(request, PLAN, held)


def step(entry: Entry, name: str, state: State, failure: Failure | None = None) -> Entry:
    entry.write(entry.operation.with_step(name, state=state, attempt=1, failure=failure))
    return entry


def end(entry: Entry, held: Held, outcome: Outcome, why: str | None = None) -> None:
    entry.write(replace(entry.operation, outcome=outcome, why=why))
    held.release()


def acts(world: World, *what: Callable[[], object]) -> None:
    assert isinstance(world.clock, Director)
    world.clock.acts = list(what)


def test_nothing_is_unfinished(world: World) -> None:
    assert attach(world.site()) is None
    assert attach(World("staging").site()) is None  # nor before the first release


def test_an_operation_is_followed_step_by_step_until_it_is_finished(world: World) -> None:
    held, entry = begun(world)
    acts(
        world,
        lambda: step(entry, "upload", State.BEGUN),
        lambda: step(entry, "upload", State.DONE),
        lambda: step(entry, "stack", State.BEGUN),
        lambda: end(entry, held, Outcome.SUCCEEDED),
    )
    done = attach(world.site())
    assert done
    assert (done.id, done.outcome) == (entry.operation.id, Outcome.SUCCEEDED)
    assert world.said == [
        "followed: olu@desk (process 1), since 2026-01-01 00:00:00 UTC",
        f"gymops deploy staging ({done.id}), begun by olu",
        "  upload: begun",
        "  upload: done",
        "  stack: begun",
    ]


@pytest.mark.parametrize(
    ("outcome", "raised", "code"),
    [
        (Outcome.FAILED, StepFailed, 1),
        (Outcome.ABANDONED, StepFailed, 1),
        (Outcome.ROLLED_BACK, StepRolledBack, 5),
        (Outcome.ROLLBACK_FAILED, StepRollbackFailed, 6),
    ],
)
def test_it_ends_as_what_it_followed(
    world: World, outcome: Outcome, raised: type[GymopsError], code: int
) -> None:
    held, entry = begun(world)
    failure = Failure("stack", "stack", "the queue is full", "empty it", 5)
    acts(
        world,
        lambda: step(entry, "stack", State.FAILED, failure),
        lambda: end(entry, held, outcome, failure.message),
    )
    with pytest.raises(raised, match="the queue is full") as ended:
        attach(world.site())
    assert (ended.value.exit_code, ended.value.hint) == (code, "empty it")
    assert "  stack: failed: the queue is full" in world.said


def test_one_that_has_only_the_lock_yet_is_waited_for(world: World) -> None:
    held = Lock(world.store, "staging", OLU, world.clock).take(lambda: True)
    request = Request("deploy", "gymops deploy staging", "olu", {}, "sha256:a")
    entries: list[Entry] = []
    acts(
        world,
        lambda: entries.append(journal(world).begin(request, PLAN, held)),
        lambda: end(entries[0], held, Outcome.SUCCEEDED),
    )
    done = attach(world.site())
    assert done
    assert done.id == entries[0].operation.id


def test_one_whose_process_dies_meanwhile_is_left_to_its_command(world: World) -> None:
    _, entry = begun(world)  # and no sign of life any more
    with pytest.raises(Detached, match="is unfinished at the step upload, and nobody works on it") as left:
        attach(world.site())
    assert left.value.exit_code == 8
    assert left.value.hint == (
        f"gymops deploy staging goes on with it; gymops attach staging --abandon {entry.operation.id}"
        " gives it up"
    )
    assert 60 <= world.clock.monotonic() <= 70


def test_ctrl_c_ends_the_following_and_nothing_else(world: World) -> None:
    _, entry = begun(world)

    def interrupt() -> None:
        raise KeyboardInterrupt

    acts(world, interrupt)
    with pytest.raises(Detached, match="not followed any more") as left:
        attach(world.site())
    assert left.value.exit_code == 8
    assert journal(world).unfinished() == entry.operation


def test_a_stack_that_still_moves_is_waited_for_before_the_command_is_named(
    world: World, tmp_path: Path
) -> None:
    half(world, tmp_path, "two")
    world.states["staging-gym-app"] = "UPDATE_IN_PROGRESS"
    with pytest.raises(Detached, match="unfinished at the step stack"):
        attach(world.site())
    assert world.states == {}
    assert "staging-gym-app is UPDATE_IN_PROGRESS" in world.said


def test_how_the_stack_ended_does_not_hide_how_to_go_on(world: World, tmp_path: Path) -> None:
    half(world, tmp_path, "two")
    world.states["staging-gym-app"] = "ROLLBACK_IN_PROGRESS"
    with pytest.raises(Detached, match="unfinished at the step stack"):
        attach(world.site())
    assert "staging-gym-app was rolled back: the queue is full" in world.said


def test_a_stack_of_no_operation_is_waited_for_too_and_its_end_is_ours(world: World) -> None:
    world.states["gym-app-base"] = "ROLLBACK_IN_PROGRESS"
    with pytest.raises(RolledBack):
        attach(world.site())


def test_giving_up_is_recorded_and_the_next_release_goes_on_from_there(world: World, tmp_path: Path) -> None:
    left = half(world, tmp_path, "two")
    with pytest.raises(Unfinished):
        release(world, tmp_path, "three")
    gone = abandon(world.site(), left.id, OLU)
    assert (gone.number, gone.outcome, gone.verb, gone.who) == (2, Outcome.ABANDONED, "deploy", "mara")
    assert gone.why == "given up by mara at the step stack"
    assert gone.artefact.digest == built(tmp_path, "two").artefact.digest
    assert gone.template == left.request.parameters["template"]
    found = Ledger(world.store, "staging").releases()
    assert gone not in targets(found)
    running = last_good(found)
    assert running
    assert running.number == 1
    assert attach(world.site()) is None
    assert abandon(world.site(), left.id, OLU) == gone  # killed in between, the same again ends the same
    assert release(world, tmp_path, "three").number == 3


def test_giving_up_twice_writes_what_a_killed_first_did_not(world: World, tmp_path: Path) -> None:
    left = half(world, tmp_path, "two")
    with Lock(world.store, "staging", OLU, world.clock).take(lambda: True) as held:
        journal(world).abandon(left.id, "given up by olu", held)
    assert abandon(world.site(), left.id, OLU).outcome is Outcome.ABANDONED


def test_a_rollback_given_up_says_what_it_was_to_return_to(world: World, tmp_path: Path) -> None:
    release(world, tmp_path, "two")
    world.dies_at = (len(world.effects) + 2, False)
    with suppress(Detached):
        rollback(world.site(), MARA)
    left = journal(world).unfinished()
    assert left
    first = Ledger(world.store, "staging").get(1)
    gone = abandon(world.site(), left.id, OLU)
    assert gone.source
    assert (gone.source.number, gone.content) == (1, first.content)


def test_a_release_given_up_is_recorded_as_it_would_have_been(world: World, tmp_path: Path) -> None:
    left = half(world, tmp_path, "two")
    gone = abandon(world.site(), left.id, OLU)
    done = release(world, tmp_path, "two")
    assert gone.artefact == done.artefact
    assert gone.artefact.uri.startswith("s3://releases-staging/artefacts/")
    assert (gone.content, gone.withheld) == (done.content, done.withheld)
    assert gone.parameters["Environment"] == "staging"
    assert (gone.commit, gone.dirty, gone.test) == ("c0ffee", False, None)


def test_a_promotion_given_up_says_where_it_came_from(world: World, tmp_path: Path) -> None:
    prod = World("prod", clock=world.clock)
    prod.dies_at = (5, False)
    with suppress(Detached):
        promote(world.site(), prod.site(), OLU, token="t", approved_by="olu")
    left = Journal(prod.store, "prod", prod.clock).unfinished()
    assert left
    prod.dies_at = None
    gone = abandon(prod.site(), left.id, OLU)
    assert gone.source
    assert (gone.source.environment, gone.source.number, gone.approved_by) == ("staging", 1, "olu")
    assert gone.artefact.uri.startswith("s3://releases-prod/artefacts/")


@pytest.mark.parametrize(("code", "kind"), [(2, ConfigError), (4, GateRefused), (130, Declined)])
def test_what_was_refused_or_declined_ends_so_here_too(
    world: World, code: int, kind: type[GymopsError]
) -> None:
    held, entry = begun(world)
    failure = Failure("stack", "refused", "Database would be replaced", "gymops diff staging", code)
    acts(
        world, lambda: end(step(entry, "stack", State.FAILED, failure), held, Outcome.FAILED, failure.message)
    )
    with pytest.raises(kind, match="Database would be replaced") as ended:
        attach(world.site())
    assert (ended.value.exit_code, ended.value.hint) == (code, "gymops diff staging")


@pytest.mark.parametrize("case", ["held", "moving", "other", "nothing", "never"])
def test_what_cannot_be_given_up(world: World, tmp_path: Path, case: str) -> None:
    def refused(site: Site, operation: str, kind: type[GymopsError], told: str) -> None:
        with pytest.raises(kind, match=told):
            abandon(site, operation, MARA)

    if case == "nothing":
        refused(world.site(), "op-1", GateRefused, "nothing is unfinished")
    elif case == "never":
        refused(World("staging").site(), "op-1", GateRefused, "nothing is unfinished")
    elif case == "held":
        _, entry = begun(world)
        refused(world.site(), entry.operation.id, LockHeld, "olu@desk")
    else:
        left = half(world, tmp_path, "two")
        if case == "moving":
            world.states["staging-gym-app"] = "UPDATE_IN_PROGRESS"
            refused(world.site(), left.id, GateRefused, "a stack is still moving")
        else:
            refused(world.site(), "op-1", Unfinished, left.id)
        assert journal(world).unfinished() == left
