"""What a rollback looks at before it changes anything."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from gymops.deploy.verbs import preflight
from gymops.deploy.verbs.failures import NothingToReturnTo
from gymops.deploy.verbs.rollback import rollback
from tests.unit.deploy.verbs.releasing import OWNER, release
from tests.unit.deploy.verbs.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two releases."""
    found = World("staging")
    release(found, tmp_path, "one")
    release(found, tmp_path, "two")
    return found


@pytest.mark.parametrize("name", ["app.zip", "layer.zip"])
def test_a_file_that_is_gone_is_found_before_anything_is_changed(world: World, name: str) -> None:
    files = world.held["releases-staging"]
    key = next(key for key in files if key.endswith(name))
    del files[key]
    done = len(world.effects)
    with pytest.raises(NothingToReturnTo, match=f"release 1 is gone: s3://releases-staging/{key}") as error:
        rollback(world.site(), OWNER)
    assert error.value.exit_code == 4
    assert error.value.hint
    assert "c0ffee" in error.value.hint
    assert len(world.effects) == done


def test_a_runtime_that_lambda_takes_no_more_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = world.clock.now().date()
    monkeypatch.setattr(preflight, "blocked", {"python3.12": today}.get)
    done = len(world.effects)
    with pytest.raises(NothingToReturnTo, match=r"release 1 runs on python3\.12, which Lambda takes no more"):
        rollback(world.site(), OWNER)
    assert len(world.effects) == done
    monkeypatch.setattr(preflight, "blocked", {"python3.12": date(today.year + 1, 1, 1)}.get)
    assert rollback(world.site(), OWNER).number == 3


def test_the_days_are_those_that_lambda_names() -> None:
    """cfn-lint brings them; a runtime that is not listed is no reason to refuse."""
    assert preflight.blocked("python2.7") == date(2022, 5, 30)
    ends = preflight.blocked("python3.12")
    assert ends
    assert ends > datetime(2028, 1, 1, tzinfo=UTC).date()
    assert preflight.blocked("python4.0") is None
