"""Stacks that take their time, on a local AWS that was told to be slow: what is seen in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gymops.deploy.stack.errors import RollbackFailed
from gymops.deploy.stack.waiting import Progress, drain
from gymops.errors import GateRefused
from tests.integration.local.test_types import DB
from tests.integration.stack.conftest import MISSING, Desk, bucket, topic
from tests.local_aws import Aws, _local, place, unique, until

__all__ = ["place"]

pytestmark = pytest.mark.long


@pytest.fixture
def slow(place: Path, emulator_installed: None) -> Iterator[Desk]:
    """A desk at a local AWS of the test's own, where each resource takes a second."""
    local: Aws = _local(place, delay=1.0)
    local.up()
    yield Desk(local)
    local.local.down()


def after(name: str, resources: dict[str, Any]) -> dict[str, Any]:
    return resources | {"DependsOn": name}


def test_what_is_in_progress_is_told_while_it_is(slow: Desk) -> None:
    seen: list[tuple[str, str]] = []

    def tell(progress: Progress) -> None:
        if progress.event:
            seen.append((progress.status, progress.event.name))

    waiting = slow.stacks.deploy(
        slow.target({"Bell": topic(), "Later": after("Bell", topic())}),
        token="op", confirm=slow.confirm, agree=slow.agree,
    )  # fmt: skip
    done = drain(waiting, tell)
    assert done.stack.status == "CREATE_COMPLETE"
    assert ("CREATE_IN_PROGRESS", "Bell") in seen
    assert [name for _, name in seen].index("Bell") < [name for _, name in seen].index("Later")


def test_another_waits_for_what_runs_and_one_who_left_comes_back(slow: Desk) -> None:
    target = slow.target({"Bell": topic(), "Later": after("Bell", topic())})
    waiting = slow.stacks.deploy(target, token="op", confirm=slow.confirm, agree=slow.agree)
    first = next(one for one in waiting if one.status == "CREATE_IN_PROGRESS")
    assert first
    waiting.close()  # Ctrl-C
    assert slow.status() == "CREATE_IN_PROGRESS"
    attached: list[Progress] = []
    assert drain(slow.stacks.attach(slow.name), attached.append).stack.status == "CREATE_COMPLETE"
    assert slow.name in {one.event.name for one in attached if one.event}
    again = drain(
        slow.stacks.deploy(target, token="op", confirm=slow.confirm, agree=slow.agree), slow.told.append
    )
    assert not again.changed


def test_a_stack_that_cannot_be_rolled_back_is_recovered_by_skipping_what_is_named(slow: Desk) -> None:
    """A database that somebody deleted by hand can be changed neither forward nor back."""

    def database(size: str) -> dict[str, Any]:
        return {**DB, "Properties": {**DB["Properties"], "DBInstanceClass": size}}

    outputs = {"Outputs": {"Name": {"Value": {"Ref": "Db"}}}}
    made = slow.deploy(slow.target({"Db": database("db.t4g.micro")}, sections=outputs))
    bad = {
        "Db": database("db.t4g.small"),
        "Bell": after("Db", topic()),
        "Bad": after("Bell", topic(DisplayName=MISSING)),
    }
    waiting = slow.stacks.deploy(slow.target(bad), token="op", confirm=slow.confirm, agree=slow.agree)
    gone = False
    with pytest.raises(RollbackFailed, match="Bad") as failed:  # noqa: PT012
        for one in waiting:
            if one.event and one.event.name == "Bell" and not gone:
                name = made.outputs["Name"]
                slow.aws.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
                gone = True
    assert failed.value.exit_code == 6
    assert slow.status() == "UPDATE_ROLLBACK_FAILED"

    slow.agrees = False
    with pytest.raises(RollbackFailed, match="not rolled back: Db"):
        slow.deploy(slow.target({"Bell": topic()}), token="two")
    slow.agrees = True
    drain(slow.stacks.settle(slow.name, token="three", agree=slow.agree), slow.told.append)
    assert slow.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert [one.name for one in slow.recoveries[-1].skip] == ["Db"]


def test_a_full_bucket_of_a_failed_create_is_not_lost(slow: Desk) -> None:
    """The rollback cannot delete it, and afterwards nothing here does."""
    name = unique("full")
    resources = {
        "Store": bucket(BucketName=name),
        "Bell": after("Store", topic()),
        "Bad": after("Bell", topic(DisplayName=MISSING)),
    }
    waiting = slow.stacks.deploy(slow.target(resources), token="op", confirm=slow.confirm, agree=slow.agree)
    s3 = slow.aws.client("s3")
    with pytest.raises(RollbackFailed):  # noqa: PT012
        for one in waiting:
            if one.event and one.event.name == "Bell":
                s3.put_object(Bucket=name, Key="kept", Body=b"x")
    until(lambda: slow.status() == "ROLLBACK_FAILED")
    with pytest.raises(GateRefused, match="holds data: Store"):
        slow.deploy(slow.target({"Bell": topic()}), token="two")
    assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 1
