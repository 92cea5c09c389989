"""One environment's journal, whose steps do what a test says."""

from __future__ import annotations

from typing import Any

from gymops.deploy.release.journal import Journal
from gymops.deploy.release.operation import Operation
from gymops.deploy.release.plan import Context, Plan, Request, Step
from gymops.deploy.release.run import carry_out
from gymops.errors import GymopsError
from tests.unit.clocks import FakeClock
from tests.unit.deploy.release.doubles import DEPLOY, Guard, Recording, nonces


class Failed(GymopsError):
    """A step fails."""


class Bench:
    """One environment's journal, and what its steps did."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.objects = Recording(self.clock)
        self.journal = Journal(self.objects, "prod", self.clock, nonces())
        self.did: list[Context] = []

    def step(self, name: str, result: Any = None, **given: Any) -> Step:
        def run(context: Context) -> Any:
            self.did.append(context)
            self.clock.sleep(1.5)
            if isinstance(result, BaseException):
                raise result
            return result

        return Step(name, run, **given)

    def go(self, plan: Plan, request: Request = DEPLOY, guard: Guard | None = None) -> Operation:
        return carry_out(self.journal.begin(request, plan, guard or Guard()), plan, self.clock)

    @property
    def names(self) -> list[str]:
        return [context.step for context in self.did]

    @property
    def latest(self) -> Operation:
        found = self.journal.latest()
        assert found
        return found
