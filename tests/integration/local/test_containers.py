"""ECS on the local AWS: tasks are processes, health checks decide, what is bad is rolled back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gymops.local import emulator
from tests.integration.local.containers import Shop
from tests.local_aws import Aws, until

pytestmark = pytest.mark.long


def test_a_service_s_life(aws: Aws) -> None:
    shop = Shop(aws)
    shop.send("create")
    shop.rest("CREATE_COMPLETE")
    assert shop.get()[1].startswith("first hush ")
    assert shop.get(**{"X-Origin": "somebody"}) == (403, "not for you")
    first = shop.processes()
    assert len(first) == 2
    assert all(Path(f"/proc/{pid}").exists() for pid in first)

    shop.send("update", Says="second")
    shop.rest("UPDATE_COMPLETE")
    assert shop.get()[1].startswith("second hush ")
    assert not first & shop.processes()
    assert not [pid for pid in first if Path(f"/proc/{pid}").exists()]
    until(lambda: "asked for /" in logs(shop))

    ecs = aws.client("ecs")
    revisions = ecs.list_task_definitions(familyPrefix=shop.name)["taskDefinitionArns"]
    assert revisions == [shop.service()["taskDefinition"]]

    last = shop.processes()
    aws.client("cloudformation").delete_stack(StackName=shop.name)
    until(lambda: not [pid for pid in last if Path(f"/proc/{pid}").exists()])


def logs(shop: Shop) -> list[str]:
    found = shop.aws.client("logs").filter_log_events(logGroupName=shop.name)["events"]
    return [one["message"] for one in found]


@pytest.mark.parametrize("how", ["yes", "dead"])
def test_a_bad_deployment_is_rolled_back_and_users_notice_nothing(aws: Aws, how: str) -> None:
    shop = Shop(aws, Tasks="1")
    shop.send("create")
    shop.rest("CREATE_COMPLETE")
    before = shop.processes()
    shop.send("update", Sick=how, Says="second")
    answers = set()

    def resting() -> bool:
        answers.add(shop.get()[1])
        found = shop.aws.client("cloudformation").describe_stacks(StackName=shop.name)["Stacks"][0]
        return not found["StackStatus"].endswith("IN_PROGRESS")

    until(resting, seconds=120)
    shop.rest("UPDATE_ROLLBACK_COMPLETE")
    assert {int(one.split()[-1]) for one in answers} == before == shop.processes()
    events = aws.client("cloudformation").describe_stack_events(StackName=shop.name)["StackEvents"]
    reasons = [one.get("ResourceStatusReason", "") for one in events if one["LogicalResourceId"] == "Service"]
    assert any("ECS Deployment Circuit Breaker was triggered" in one for one in reasons)


def test_a_task_that_ends_is_replaced_and_all_end_with_a_killed_local_aws(fresh: Aws) -> None:
    fresh.up()
    shop = Shop(fresh)
    shop.send("create")
    shop.rest("CREATE_COMPLETE")
    victim, *_ = shop.processes()
    os.kill(victim, 9)
    until(lambda: len(shop.processes() - {victim}) == 2)
    last = shop.processes()
    found = emulator.ask(fresh.settings, "status")
    assert found
    os.kill(found["pid"], signal.SIGKILL)
    until(lambda: not [pid for pid in last if Path(f"/proc/{pid}").exists()])
    fresh.up()
    until(lambda: shop.get()[0] == 200)
    assert not shop.processes() & last
