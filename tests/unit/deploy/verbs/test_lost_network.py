"""The network is lost at a write of a release; the same command goes on at once, and does nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gymops.aws.session import AwsError
from gymops.deploy.release.journal import Journal
from gymops.deploy.release.ledger import Ledger, Release
from gymops.deploy.release.lock import held_by
from gymops.deploy.verbs.deploy import deploy
from gymops.deploy.verbs.promote import promote
from gymops.deploy.verbs.rollback import rollback
from gymops.deploy.verbs.site import Site
from gymops.errors import Unknown
from gymops.store.objects import Stored
from tests.contract.objects import MemoryObjects
from tests.unit.deploy.verbs.releasing import OWNER
from tests.unit.deploy.verbs.world import World, built, code


class Network(MemoryObjects):
    """A store that is out of reach from a write on, which was carried out or was not."""

    lost_at: tuple[int, bool] | None = None
    writes = 0
    lost = False

    def create(self, key: str, data: bytes) -> str:
        return self._write(lambda: super(Network, self).create(key, data))

    def replace(self, key: str, data: bytes, etag: str) -> str:
        return self._write(lambda: super(Network, self).replace(key, data, etag))

    def get(self, key: str) -> Stored | None:
        self._reach()
        return super().get(key)

    def _write(self, write: Callable[[], str]) -> str:
        self._reach()
        self.writes += 1
        at, carried_out = self.lost_at or (0, False)
        if self.writes != at:
            return write()
        self.lost = True
        if carried_out:
            write()
        raise _no_answer()

    def _reach(self) -> None:
        if self.lost:
            raise _no_answer()


def _no_answer() -> AwsError:
    return AwsError("the service does not answer", reason="Unreachable", unknown=True)


class Bench:
    """Two environments, the second of which loses the network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.staging = World("staging")
        self.prod = World("prod", clock=self.staging.clock)
        self.network = self.prod.store = Network(self.prod.clock)
        for text in "one", "two":
            deploy(self.staging.site(), built(folder, text), OWNER, token="t")
            self.promote()
        deploy(self.staging.site(), built(folder, "three"), OWNER, token="t")

    def promote(self) -> Release:
        return promote(self.staging.site(), self.site, OWNER, token="t", approved_by="olu")

    def deploy(self) -> Release:
        return deploy(self.site, built(self.folder, "three"), OWNER, token="t", break_glass="a test")

    def rollback(self) -> Release:
        return rollback(self.site, OWNER)

    @property
    def site(self) -> Site:
        return replace(self.prod.site(), locks=self.folder / "locks")


_MORE = ((2, False), (3, False), (4, True), (18, True))
_WRITES: dict[str, int] = {}


def writes(verb: str, folder: Path) -> int:
    """How often a release that nothing befalls writes to the store."""
    if verb not in _WRITES:
        calm = Bench(folder)
        before = calm.network.writes
        getattr(calm, verb)()
        _WRITES[verb] = calm.network.writes - before
    return _WRITES[verb]


@pytest.mark.parametrize(
    ("left", "carried_out"),
    [
        (2, True), (3, True),
        *(pytest.param(*one, marks=pytest.mark.long) for one in _MORE),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["deploy", "promote", "rollback"])
def test_lost_before_the_end(tmp_path: Path, verb: str, left: int, carried_out: bool) -> None:
    """``left``: the writes there would have been yet; the last of all lets go of the lock."""
    bench = Bench(tmp_path)
    run = getattr(bench, verb)
    bench.network.lost_at = (bench.network.writes + writes(verb, tmp_path) - left + 1, carried_out)
    with pytest.raises(Unknown) as told:
        run()
    assert bench.network.lost
    assert f"again: gymops {verb}" in (told.value.hint or "")
    bench.network.lost_at, bench.network.lost = None, False
    assert run().number == 3
    assert [one.verb for one in Ledger(bench.network, "prod").releases()] == ["promote", "promote", verb]
    assert bench.prod.serves == code(built(tmp_path, "one" if verb == "rollback" else "three"))
    assert Journal(bench.network, "prod", bench.prod.clock).unfinished() is None
    assert held_by(bench.network, "prod") is None
