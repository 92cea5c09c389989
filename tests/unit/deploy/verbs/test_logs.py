"""Logs: nothing twice, nothing left out, no secret, and only what was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from gymops.aws.logs import Line
from gymops.deploy.release.lock import Owner
from gymops.deploy.verbs.deploy import deploy
from gymops.deploy.verbs.logs import LATE, Told, groups, read
from gymops.errors import GymopsError
from tests.unit.clocks import START
from tests.unit.deploy.verbs.world import World, built

GROUP = "functionlogs"


class Kept:
    """Log groups; what was put in appears when the clock comes to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.held: list[tuple[datetime, Line]] = []

    def put(
        self, text: str, *, at: float, appears: float | None = None, ident: str = "", group: str = GROUP
    ) -> None:
        moment = START + timedelta(seconds=at)
        seen = moment if appears is None else START + timedelta(seconds=appears)
        self.held.append((seen, Line(group, "stream", moment, text, ident)))

    def lines(self, group: str, region: str, since: datetime, pattern: str = "") -> Iterator[Line]:
        for appears, line in sorted(self.held, key=lambda one: one[1].at):
            wanted = pattern.strip('"') in line.text
            if line.group == group and line.at >= since and appears <= self.world.clock.now() and wanted:
                yield line


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World("staging")
    deploy(found.site(), built(tmp_path, "one"), Owner("mara", "laptop", 7), token="t")
    found.clock = type(found.clock)()
    found.clock.sleep(3600)
    return found


@pytest.fixture
def kept(world: World) -> Kept:
    return Kept(world)


def told(world: World, kept: Kept, count: int | None = None, **given: object) -> list[Told]:
    given.setdefault("since", timedelta(minutes=10))
    return list(islice(read(world.site(), kept, **given), count))  # type: ignore[arg-type]


def texts(found: list[Told]) -> list[str]:
    return [one.text for one in found]


def test_the_groups_are_those_of_the_functions(world: World) -> None:
    found = {one.name for one in groups(world.site())}
    assert {"functionlogs", "operationslogs", "/aws/lambda/function"} <= found
    assert {one.region for one in groups(world.site())} == {"us-west-1"}


def test_without_an_environment_the_next_command_is_named() -> None:
    with pytest.raises(GymopsError, match="no functions and no logs") as refused:
        groups(World("staging").site())
    assert refused.value.hint == "gymops deploy staging"


def test_what_was_written_since_then_in_its_order(world: World, kept: Kept) -> None:
    kept.put("old", at=3600 - 601)
    kept.put("second", at=3500, group="operationslogs")
    kept.put("third", at=3550)
    kept.put("first", at=3400)
    assert texts(told(world, kept)) == ["first", "second", "third"]


def test_following_tells_each_line_once_also_late_and_equal_ones(world: World, kept: Kept) -> None:
    for number in range(40):
        kept.put(f"line {number}", at=3600 + 10 * number, ident=f"{number}")
    kept.put("late", at=3700, appears=3700 + LATE.total_seconds() - 5)
    kept.put("twin", at=3650)
    kept.put("twin", at=3650)
    found = texts(told(world, kept, 43, follow=True))
    assert sorted(found) == sorted([f"line {number}" for number in range(40)] + ["late", "twin", "twin"])
    assert found.index("late") > found.index("line 19")


def test_following_a_quiet_environment_waits(world: World, kept: Kept) -> None:
    kept.put("at last", at=3600 + 5000)
    assert texts(told(world, kept, 1, follow=True)) == ["at last"]
    assert world.clock.now() - START < timedelta(seconds=8610)


def test_a_request_is_told_by_its_ids_and_by_nothing_that_looks_like_one(world: World, kept: Kept) -> None:
    kept.put(json.dumps({"message": "request", "correlation_id": "abc", "request_id": "r1"}), at=3500)
    kept.put(json.dumps({"message": "request", "correlation_id": "x", "request_id": "abc"}), at=3501)
    kept.put(json.dumps({"message": "abc", "correlation_id": "abcd"}), at=3502)
    kept.put("END RequestId: abc", at=3503)
    kept.put("END RequestId: r2", at=3504)
    found = told(world, kept, correlation="abc")
    assert [one.at.second for one in found] == [20, 21, 23]
    assert found[0].fields
    assert found[0].as_dict()["line"]["correlation_id"] == "abc"
    assert found[2].as_dict()["line"] == {"message": "END RequestId: abc"}


def test_no_secret_is_told(world: World, kept: Kept) -> None:
    secret = "ghp_" + "a1B2c3D4e5" * 4
    kept.put(json.dumps({"message": "calling", "key": secret, "of": [{"deep": secret}]}), at=3500)
    kept.put(json.dumps({"message": "set", "password": "q8Wz3kLm0pXv7RtY"}), at=3501)
    kept.put(f"plain {secret}", at=3502)
    found = told(world, kept)
    assert not [one for one in found if secret in str(one.as_dict()) or "q8Wz3" in str(one.as_dict())]
    assert found[0].fields
    assert found[0].fields["message"] == "calling"


def test_what_is_no_json_is_told_as_it_is(world: World, kept: Kept) -> None:
    for text in ("[1]", "{broken", "{" * 3, "3"):
        kept.put(text, at=3500)
    assert sorted(texts(told(world, kept))) == sorted(["[1]", "{broken", "{{{", "3"])
    assert replace(told(world, kept)[0], fields=None).as_dict()["line"]["message"]
