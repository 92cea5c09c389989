"""Stacks whose emulator was killed in the middle of an operation."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace

import pytest

from tests.local_aws import Aws, until


def _template(count: int) -> str:
    """One topic after the other, so that an operation on many takes as many delays."""
    topics = {
        f"Topic{number}": {
            "Type": "AWS::SNS::Topic",
            **({"DependsOn": f"Topic{number - 1}"} if number else {}),
        }
        for number in range(count)
    }
    return json.dumps({"Resources": topics})


@pytest.mark.long
def test_what_a_killed_emulator_was_doing_has_failed_and_can_be_deleted(fresh: Aws) -> None:
    """Nobody goes on with it, and nothing says for ever that somebody does."""
    fresh.settings = replace(fresh.settings, delay=0.3)
    fresh.up()
    client = fresh.client("cloudformation")
    for name, topics in (("changing", 1), ("going", 20)):
        client.create_stack(StackName=name, TemplateBody=_template(topics))
    for name in ("changing", "going"):
        fresh.stack(name, "CREATE_COMPLETE")
    client.create_stack(StackName="coming", TemplateBody=_template(40))
    client.update_stack(StackName="changing", TemplateBody=_template(40))
    client.delete_stack(StackName="going")
    pid = fresh.local.status().pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: not fresh.local.status().running)
    fresh.settings = replace(fresh.settings, delay=0)
    fresh.up()
    client = fresh.client("cloudformation")
    found = {one["StackName"]: one for one in client.describe_stacks()["Stacks"]}
    assert {name: one["StackStatus"] for name, one in found.items()} == {
        "coming": "CREATE_FAILED", "changing": "UPDATE_FAILED", "going": "DELETE_FAILED",
    }  # fmt: skip
    assert {one["StackStatusReason"] for one in found.values()} == {
        "The local AWS was ended during the operation"
    }
    for name, one in found.items():
        client.delete_stack(StackName=name)
        fresh.stack(one["StackId"], "DELETE_COMPLETE")
    assert fresh.client("sns").list_topics()["Topics"] == []
