"""A command killed with SIGKILL at every write of its journal, and started again."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gymops.deploy.release.journal import Journal
from gymops.deploy.release.operation import State
from gymops.deploy.release.plan import Outcome
from gymops.deploy.release.run import StepRolledBack
from tests.integration.release.plans import CLOCK, MOMENTS, WRITES, Effects, carry, store
from tests.local_aws import Aws, unique

POINTS = [(write, moment) for write in range(1, WRITES["two"] + 1) for moment in MOMENTS]


def kill(place: dict[str, str], effects: Path, kind: str, write: int, moment: str, fence: int = 1) -> int:
    """Carry the plan out in a process that dies; its exit code."""
    given = {
        "store": place, "effects": str(effects), "plan": kind, "write": write, "moment": moment,
        "fence": fence,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "tests.integration.release.plans", json.dumps(given)], check=False, timeout=120
    ).returncode


def go_on(place: dict[str, str], folder: Path, kind: str, fence: int = 2) -> None:
    """Start the same command again, unless the operation is finished; all is there, and once."""
    objects, effects = store(place), Effects(folder)
    journal = Journal(objects, "staging", CLOCK)
    last = journal.latest()
    if last is None or not last.finished:
        if kind == "failing":
            with pytest.raises(StepRolledBack, match="broken is broken"):
                carry(objects, kind, effects, fence)
        else:
            carry(objects, kind, effects, fence)
        last = journal.latest()

    assert last is not None
    assert len(objects.keys("operations/")) == 1
    done = [step.name for step in last.steps + last.recovery if step.state is State.DONE]
    assert effects.counted() == {name: [f"{last.id}-{name}"] for name in done}
    if kind == "failing":
        assert last.outcome is Outcome.ROLLED_BACK
        assert [step.state for step in last.steps] == [State.DONE, State.FAILED, State.PENDING]
        assert done == ["build", "undo", "record"]
    else:
        assert last.outcome is Outcome.SUCCEEDED
        assert len(done) == len(last.steps)
        names = [step.name for step in last.steps]
        assert [step.result for step in last.steps] == [chained(names[: n + 1]) for n in range(len(names))]


def chained(names: list[str]) -> str:
    """Each result is all results before it, and the step's name."""
    results: list[str] = []
    for name in names:
        results.append("+".join([*results, name]))
    return results[-1]


@pytest.mark.parametrize(("write", "moment"), POINTS)
def test_killed_in_a_directory(write: int, moment: str, tmp_path: Path) -> None:
    place = {"folder": str(tmp_path / "objects")}
    assert kill(place, tmp_path / "effects", "two", write, moment) == -9
    go_on(place, tmp_path / "effects", "two")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["five", "failing"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_in_a_longer_plan(kind: str, moment: str, tmp_path: Path) -> None:
    for write in range(1, WRITES[kind] + 1):
        place = {"folder": str(tmp_path / f"objects-{write}")}
        effects = tmp_path / f"effects-{write}"
        assert kill(place, effects, kind, write, moment) == -9
        go_on(place, effects, kind)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["two", "five", "failing"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_with_its_journal_in_s3(kind: str, moment: str, aws: Aws, tmp_path: Path) -> None:
    for write in range(1, WRITES[kind] + 1):
        place = {"url": aws.settings.url, "bucket": _bucket(aws)}
        effects = tmp_path / f"effects-{write}"
        assert kill(place, effects, kind, write, moment) == -9
        go_on(place, effects, kind)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_killed_again_and_again(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    place: dict[str, Any] = {"folder": str(tmp_path / "objects")}
    kind = chance.choice(["five", "failing"])
    for fence in range(1, 9):
        kill(place, tmp_path / "effects", kind, chance.randint(1, 5), chance.choice(MOMENTS), fence)
        last = Journal(store(place), "staging", CLOCK).latest()
        if last and last.finished:
            break
    go_on(place, tmp_path / "effects", kind, fence=9)


def _bucket(aws: Aws) -> str:
    name = unique("releases")
    aws.client("s3").create_bucket(Bucket=name)
    return name
