"""Seals of a database that only a function reaches: also of more users than its answer has room for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from gymops.app import proving
from gymops.backup.managed.inside import Inside
from gymops.backup.port import untold
from gymops.eventlog import parts
from gymops.eventlog.digest import CHUNK
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.proof import prove
from gymops.eventlog.seal import Seal, Sealed
from tests.integration.backup.conftest import Backed

USERS = """
INSERT INTO events (user_id, position, event_id, "timestamp", event_type, payload)
SELECT 'user ' || u, n, gen_random_uuid(), now(), 'SetLogged', '{}'
FROM generate_series(1, 40) AS u, generate_series(1, CASE u WHEN 7 THEN %s ELSE 2 END) AS n
"""


@dataclass
class Called:
    """The function, called as Lambda calls it: what goes in and comes out is JSON."""

    backed: Backed
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def invoke(self, _: str, event: dict[str, Any]) -> Answered:
        self.asked.append(event)
        options = {name: value for name, value in event.items() if name != "do"}
        told = json.dumps(proving.seal(self.backed.url, **options))
        self.sizes.append(len(told))
        return Answered(json.loads(told))


@dataclass(frozen=True)
class Answered:
    answer: Any
    failed: bool = False


def sealed(called: Called, before: Sealed) -> Seal | None:
    return Inside(called, "it").seal(before, "prod", untold)


@pytest.fixture
def called(backed: Backed, monkeypatch: pytest.MonkeyPatch) -> Called:
    """With so little room that 40 users are some ten answers."""
    monkeypatch.setattr(proving, "_MOST", 1000)
    backed.sql(USERS, CHUNK * 3)
    return Called(backed)


def test_the_first_seal_of_very_many_users_comes_in_parts(called: Called) -> None:
    together = Sealed()
    seal = sealed(called, together)
    assert seal
    assert len(called.asked) > 5
    together.add(seal)
    assert (len(together.streams), seal.events) == (40, CHUNK * 3 + 39 * 2)
    with closing(PostgresLog(called.backed.url)) as log:
        assert prove(log, together).passed
        assert seal.head == log.digest().head
    # Each goes on behind the one before, and is as small as it should be.
    assert [one["after"] for one in called.asked[1:]] == sorted(one["after"] for one in called.asked[1:])
    assert max(called.sizes) < 1000
    # What did not grow takes no room.
    called.asked.clear()
    assert sealed(called, together) is None
    assert len(called.asked) == 1
    called.backed.append("user 9", 1)
    second = sealed(called, together)
    assert second
    assert (len(called.asked), second.events) == (2, seal.events + 1)


def test_of_many_parts_a_part_that_grew_is_enough(called: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    together = Sealed()
    first = sealed(called, together)
    assert first
    together.add(first)
    monkeypatch.setattr(
        parts.split, "__defaults__", (3000,)
    )  # what is known is too much for one question too
    called.asked.clear()
    called.backed.sql(USERS.replace("'user '", "'more '"), 2)
    seal = sealed(called, together)
    assert seal
    together.add(seal)
    assert len(together.streams) == 80
    assert len(called.asked) > 10
    with closing(PostgresLog(called.backed.url)) as log:
        assert prove(log, together).passed
