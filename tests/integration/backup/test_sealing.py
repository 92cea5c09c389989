"""Seals beside writers: each is the digest of a beginning of the log, whatever commits when."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from gymops.backup import sealing, source
from gymops.backup.catalogue import Seals
from gymops.clock import SystemClock, ticks
from gymops.errors import Exists
from gymops.eventlog.digest import CHUNK
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.proof import prove
from gymops.eventlog.seal import Seal, Sealed, SealError, sealed
from gymops.eventlog.sealing import take
from gymops.pg.connection import connect
from tests.integration.backup.conftest import APPEND, Backed

CLOCK = SystemClock()
WRITERS = 8
SEALS = 25


class Writers:
    """Eight sessions that append, a few events or chunks of them at a time, and now and then roll back."""

    def __init__(self, url: str, synchronous: str) -> None:
        self._url, self._synchronous = url, synchronous
        self._stop = threading.Event()
        self._failed: list[BaseException] = []
        self.committed = 0
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(WRITERS)]

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()
        assert not self._failed, self._failed

    def _write(self, number: int) -> None:
        draw = random.Random(number)
        try:
            with psycopg.connect(self._url) as connection:
                connection.execute(f"SET synchronous_commit = {self._synchronous}")
                connection.commit()
                while not self._stop.is_set():
                    self._transaction(connection, draw)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self._failed.append(error)

    def _transaction(self, connection: psycopg.Connection[Any], draw: random.Random) -> None:
        user = f"user {draw.randrange(10)}"
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (user,))
        for _ in range(draw.choice((1, 1, 2))):
            connection.execute(APPEND.encode(), (user, user, draw.choice((1, 1, 3, 200, CHUNK - 1, CHUNK))))
        if draw.random() < 0.15:
            connection.rollback()
        else:
            connection.commit()
            self.committed += 1


@pytest.mark.parametrize("synchronous", ["on", "off"])
def test_every_seal_beside_eight_writers_is_the_digest_of_a_beginning(
    gymops_database: str, synchronous: str
) -> None:
    writers, seals, together = Writers(gymops_database, synchronous), [], Sealed()
    with closing(PostgresLog(gymops_database)) as log:
        with writers.running():
            for _ in ticks(CLOCK, timeout=60, interval=0.03):
                seal = take(log, together, "local")
                if seal:
                    together.add(seal)
                    seals.append(seal)
                if len(seals) >= SEALS and writers.committed > 100:
                    break
        assert len(seals) >= SEALS
        last = take(log, together, "local")
        if last:
            together.add(last)
            seals.append(last)
        assert together.head == log.digest().head
        for upto in [*range(1, len(seals), 6), len(seals)]:
            proof = prove(log, sealed(seals[:upto]))
            assert proof.passed, proof.broken
            assert proof.expected_events == seals[upto - 1].events
        assert take(log, together, "local") is None
    assert [seal.lsn for seal in seals] == [seal.lsn for seal in sorted(seals, key=_place)]
    assert sum(len(one.chunks) for seal in seals for one in seal.streams.values()) > 10


def _place(seal: Seal) -> tuple[int, int]:
    high, low = seal.lsn.split("/")
    return int(high, 16), int(low, 16)


@pytest.mark.parametrize("gap", [1, 2, CHUNK, CHUNK + 1, 2 * CHUNK + 7])
def test_one_that_commits_late_is_sealed_late_and_alarms_nobody(gymops_database: str, gap: int) -> None:
    """A session takes a position and commits after those that took later ones."""
    end, together = 2 * CHUNK + 10, Sealed()
    with (
        closing(PostgresLog(gymops_database)) as log,
        psycopg.connect(gymops_database) as late,
        psycopg.connect(gymops_database, autocommit=True) as early,
    ):
        early.execute(APPEND.encode(), ("a", "a", gap - 1)) if gap > 1 else None
        late.execute(APPEND.encode(), ("a", "a", 1))
        early.execute(_FROM.encode(), ("a", gap + 1, end))
        early.execute(APPEND.encode(), ("b", "b", 5))
        seal = take(log, together, "local")
        assert seal
        assert (seal.streams["a"].events if "a" in seal.streams else 0) == gap - 1
        assert seal.streams["b"].events == 5
        together.add(seal)
        assert take(log, together, "local") is None
        late.commit()
        seal = take(log, together, "local")
        assert seal
        together.add(seal)
        assert together.streams["a"].events == end
        assert together.head == log.digest().head


_FROM = """
INSERT INTO events (user_id, position, event_id, "timestamp", event_type, payload)
SELECT %s, n, gen_random_uuid(), now(), 'SetLogged', '{}' FROM generate_series(%s::int, %s::int) AS n
"""


@pytest.mark.parametrize("there", [0, 1, 4])
def test_fewer_events_than_were_sealed_are_an_error(backed: Backed, there: int) -> None:
    backed.append("a", 5)
    backed.append("b", 1)
    together = Sealed()
    with closing(PostgresLog(backed.url)) as log:
        seal = take(log, together, "local")
        assert seal
        together.add(seal)
        backed.sql("ALTER TABLE events DISABLE TRIGGER events_append_only")
        try:
            backed.sql("DELETE FROM events WHERE user_id = 'a' AND position > %s", there)
        finally:
            backed.sql("ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only")
        with pytest.raises(SealError, match=f"'a' has {there} events, and 5 were sealed") as told:
            take(log, together, "local")
    assert told.value.hint


@pytest.mark.parametrize("events", [5, CHUNK, CHUNK + 5], ids=["first", "closed", "second"])
@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            "UPDATE events SET event_type = 'Other' WHERE user_id = 'a' AND position = %s",
            "not as it was sealed",
        ),
        (
            "DELETE FROM events WHERE user_id = 'a' AND position = %s",
            "no event 2, which|not as it was sealed",
        ),
    ],
    ids=["changed", "deleted"],
)
def test_the_next_seal_makes_no_truth_of_what_was_damaged(
    backed: Backed, events: int, damage: str, told: str
) -> None:
    """In a closed chunk it is the proof that finds it; in the open one the next seal must."""
    backed.append("a", events)
    together = Sealed()
    with closing(PostgresLog(backed.url)) as log:
        first = take(log, together, "local")
        assert first
        together.add(first)
        backed.sql("ALTER TABLE events DISABLE TRIGGER events_append_only")
        try:
            backed.sql(damage, events // CHUNK * CHUNK + 2 if events % CHUNK else 2)
        finally:
            backed.sql("ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only")
        backed.append("a", 1)
        if events % CHUNK:
            with pytest.raises(
                SealError, match=told.replace("event 2", f"event {events // CHUNK * CHUNK + 2}")
            ):
                take(log, together, "local")
        else:
            second = take(log, together, "local")
            assert second
            together.add(second)
            assert not prove(log, together).passed


def test_a_seal_that_another_records_first_is_taken_again(backed: Backed) -> None:
    seals = backed.vault.seals
    backed.append("a", 3)

    class Slower(Seals):
        """Somebody else seals between its look and its record."""

        raced = False

        def add(self, seal: Seal) -> None:
            if not self.raced:
                self.raced = True
                backed.append("b", 1)
                _record(backed, seals)
            super().add(seal)

    slower = Slower(backed.vault.objects, backed.vault.environment, backed.vault.keys)
    found = _record(backed, slower)
    assert [seal.events for seal in seals.read()] == [4]
    assert found.number == 1
    assert seals.sealed().events == 4


def test_one_that_is_always_slower_gives_up(backed: Backed) -> None:
    class Never(Seals):
        def add(self, seal: Seal) -> None:
            raise Exists("another was faster")

    backed.append("a", 1)
    never = Never(backed.vault.objects, backed.vault.environment, backed.vault.keys)
    with pytest.raises(Exists):
        _record(backed, never)


def test_a_database_without_events_is_sealed_as_such_and_one_that_lost_them_is_not(backed: Backed) -> None:
    seals = backed.vault.seals
    url = backed.url.replace("/gymops?", "/postgres?")
    with closing(connect(url, autocommit=True)) as connection:
        facts = source.facts(connection)
        assert (facts.ours, facts.events) == (False, False)
        for _ in range(2):
            found = sealing.record(connection, url, facts, seals, backed.vault.environment)
            assert found
            assert (found.number, found.events) == (1, 0)
        backed.append("a", 1)
        _record(backed, seals)
        with pytest.raises(SealError, match="no events of our schema, and 1 were sealed"):
            sealing.record(connection, url, facts, seals, backed.vault.environment)


def _record(backed: Backed, seals: Seals) -> Any:
    with closing(connect(backed.url, autocommit=True)) as connection:
        return sealing.record(
            connection, backed.url, source.facts(connection), seals, backed.vault.environment
        )
