"""Whatever is written and backed up, in whatever order: a restored log is what was there and was sealed."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gymops.backup import wal
from gymops.backup.port import Wanted
from gymops.backup.restore import Restores
from gymops.clock import SystemClock
from gymops.eventlog.postgres import PostgresLog
from gymops.pg import embedded
from tests.contract.strategies import many
from tests.integration.backup.conftest import EMPTY, Backed, vault_in
from tests.integration.backup.restoring.conftest import moment, take

CLOCK = SystemClock()
USERS = ("ann", "bob", "auth0|000001", "Ünal")
append = st.tuples(st.just("append"), st.sampled_from(USERS), st.sampled_from((1, 2, 40, 1023, 1024, 1500)))
steps = st.one_of(
    append,
    append,
    st.tuples(st.just("take"), st.just("continuous"), st.just(0)),
    st.tuples(st.just("take"), st.just("daily"), st.just(0)),
    st.tuples(st.just("segment"), st.just(""), st.just(0)),
)


@dataclass(frozen=True)
class Moment:
    """What the log was at a time."""

    at: datetime
    head: str


def _moment(backed: Backed) -> Moment:
    at = moment(backed)
    with closing(PostgresLog(backed.url)) as log:
        return Moment(at, log.digest().head)


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.Server]:
    from gymops.pg import schema
    from tests.conftest import _FAST

    with embedded.temporary(clock=CLOCK, settings=_FAST) as found:
        schema.upgrade(found.url(), clock=CLOCK)
        yield found


@many(12)
@given(before=st.lists(append, max_size=3), row=st.lists(steps, min_size=1, max_size=8), draw=st.data())
def test_a_restored_log_is_what_was_sealed(
    server: embedded.Server, before: list[tuple[str, str, int]], row: list[tuple[str, str, int]],
    draw: st.DataObject,
) -> None:  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = f"e{uuid.uuid4().hex[:8]}"
        backed = Backed(server.url(), server.binaries, vault_in(folder, environment), folder)
        try:
            _holds(backed, before, row, draw)
        finally:
            backed.sql(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s",
                wal.slot(environment),
            )


def _holds(
    backed: Backed, before: list[tuple[str, str, int]], row: list[tuple[str, str, int]], draw: st.DataObject
) -> None:
    backed.sql(EMPTY)
    for _, user, events in before:
        backed.append(user, events)
    take(backed, "daily")
    moments = [_moment(backed)]
    for what, user, events in row:
        if what == "append":
            backed.append(user, events)
        elif what == "take":
            take(backed, user)
        else:
            backed.sql("SELECT pg_switch_wal()")
        moments.append(_moment(backed))
    take(backed, "continuous")

    restores = Restores(backed.vault, backed.url, [backed.binaries], backed.folder / "home", CLOCK)
    chosen = draw.draw(st.sampled_from([*moments, None]), label="to")
    plan = restores.plan(Wanted(at=chosen.at if chosen else None, test=True))
    restored = restores.restore(plan)
    try:
        assert restores.prove(plan, restored).passed
        seal = restores.seal(restored)
        assert seal
        assert restored.url
        with closing(PostgresLog(restored.url)) as log:
            head = log.digest().head
        if chosen is None:
            assert head == seal.head == moments[-1].head
        else:
            assert head == chosen.head
    finally:
        restores.drop(restored)
