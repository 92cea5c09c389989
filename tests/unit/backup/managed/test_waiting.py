"""Waiting for an instance that RDS makes: told late, set late, or never."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gymops.aws.account import Account
from gymops.aws.databases import Database, Databases
from gymops.backup.managed.restoring import Work
from gymops.backup.managed.waiting import Failed, Gone, Patience
from gymops.backup.port import RestorePlan
from tests.unit.clocks import FakeClock

MADE = Database(
    "new", "arn", "db-1", "available", "host", 5432, True, "", None, None, None, changing=False,
    settings={"MultiAZ": True},
)  # fmt: skip
PLAN = RestorePlan("id", "prod", "db", None, None, "new", None, None, datetime(2026, 1, 1, tzinfo=UTC), None)


class Told(Databases):
    """What RDS tells at each look; the last of it again and again."""

    def __init__(self, *told: Database | None) -> None:
        super().__init__(Account("us-west-1"))
        self.told = list(told)
        self.changed = 0

    def find(self, name: str) -> Database | None:
        return self.told.pop(0) if len(self.told) > 1 else self.told[0]

    def conform(self, name: str, settings: object) -> Sequence[str]:
        self.changed += 1
        return ["MultiAZ"]


def wait(*told: Database | None) -> Database:
    patience = Patience(FakeClock(), interval=15.0, timeout=600.0)
    return patience.database(Told(*told), "new", "restore", lambda *_: None)


def test_an_instance_that_rds_tells_of_a_little_later_is_waited_for() -> None:
    assert wait(None, None, replace(MADE, status="creating"), None, None, MADE) == MADE


def test_one_that_stays_away_or_goes_is_gone() -> None:
    for told in ((None,), (replace(MADE, status="creating"), None), (replace(MADE, status="deleting"),)):
        with pytest.raises(Gone):
            wait(*told)


@pytest.mark.parametrize("status", ["failed", "incompatible-network", "storage-full"])
def test_one_that_rds_gave_up_is_a_failure_with_where_to_look(status: str) -> None:
    with pytest.raises(Failed, match=status) as error:
        wait(replace(MADE, status=status))
    assert "describe-events" in str(error.value.hint)


def test_a_setting_that_never_comes_is_named() -> None:
    bare = replace(MADE, settings={"MultiAZ": False})
    for last, named in ((MADE, None), (bare, "MultiAZ")):
        databases = Told(bare, bare, bare, last)
        work = Work(databases, Patience(FakeClock(), 15.0, 600.0), PLAN, {"MultiAZ": True, "Port": 1}, {})
        if named is None:
            assert work.finish(lambda *_: None) == MADE
        else:
            with pytest.raises(Failed, match="not set as its source: MultiAZ"):
                work.finish(lambda *_: None)
        assert databases.changed == 1
