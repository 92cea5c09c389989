"""A journal to try, and one whose process was killed."""

from __future__ import annotations

import pytest

from gymops.deploy.release.plan import Plan
from tests.unit.deploy.release.bench import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def killed(bench: Bench) -> Bench:
    """Killed in the second of three steps."""
    plan = Plan((bench.step("build", "b"), bench.step("stack", SystemExit()), bench.step("shift")))
    with pytest.raises(SystemExit):
        bench.go(plan)
    bench.did.clear()
    return bench
