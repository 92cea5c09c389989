"""A release asks for nothing twice that cannot have changed, and changes nothing that is as it should be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gymops.config import Environment
from gymops.deploy.release.journal import Journal
from gymops.deploy.stack.port import StackTarget
from gymops.deploy.verbs.attach import abandon
from gymops.deploy.verbs.rollback import rollback
from gymops.errors import Detached
from tests.unit.deploy.verbs.releasing import OWNER, release
from tests.unit.deploy.verbs.world import Died, World, _Functions, _Stacks


def test_no_record_of_the_ledger_is_read_twice(
    staging: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("one", "two", "three"):
        release(staging, tmp_path, text)
    read: Counter[str] = Counter()
    get = staging.store.get

    def counted(key: str) -> object:
        read[key] += 1
        return get(key)

    monkeypatch.setattr(staging.store, "get", counted)
    assert release(staging, tmp_path, "four").number == 4
    assert {key: times for key, times in read.items() if key.startswith("releases/")} == {
        f"releases/staging/0000000{number}.json": 1 for number in (1, 2, 3)
    }


def test_what_runs_already_is_asked_again_and_recorded_and_nothing_else(
    staging: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(staging, tmp_path, "one")
    release(staging, tmp_path, "two")
    rollback(staging.site(), OWNER)
    staging.effects.clear()
    staging.said.clear()
    changes = deployments(monkeypatch)
    again = release(staging, tmp_path, "one")
    assert (again.number, again.version, again.outcome) == (4, "1", "succeeded")
    assert [one["good"] for one in again.smoke] == [True, True]
    assert staging.effects == []  # the code of then would be a version of its own, were it published again
    assert "nothing changed: version 1 runs it already, and is asked again" in staging.said
    assert changes.count("staging-gym-app") == 1


def test_other_parameters_whose_release_was_given_up_half_way_are_published(
    staging: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stack has them then, and the version that serves has not."""
    release(staging, tmp_path, "one")
    other = World("staging", own=Environment(parameters={"FunctionMemory": "2048"}), clock=staging.clock)
    for name in ("there", "held", "store", "versions", "alias", "schema"):
        setattr(other, name, getattr(staging, name))
    published: list[str] = []

    def dies(self: _Functions, function: str, code: str) -> str:
        published.append(code)
        raise Died

    monkeypatch.setattr(_Functions, "publish", dies)
    for _ in range(2):
        with pytest.raises(Detached):
            release(other, tmp_path, "one")
        left = Journal(other.store, "staging", other.clock).unfinished()
        assert left
        abandon(other.site(), left.id, OWNER)
    assert len(published) == 2


def deployments(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stacks that are brought to something, from now on."""
    seen: list[str] = []
    deploy = _Stacks.deploy

    def counted(self: _Stacks, target: StackTarget, **given: Any) -> Any:
        seen.append(target.name)
        return deploy(self, target, **given)

    monkeypatch.setattr(_Stacks, "deploy", counted)
    return seen
