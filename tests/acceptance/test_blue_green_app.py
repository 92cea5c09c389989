"""A service whose tasks CodeDeploy replaces: released in shares, gone on with, taken back by an alarm."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gymops.clock import SystemClock, ticks
from gymops.local import emulator
from gymops.local.emulator import LocalAws
from gymops.local.settings import load
from tests.acceptance.test_any_app import STAGING
from tests.acceptance.test_service_app import ServiceShop

NAME = "staging-productivity"


class BlueGreenShop(ServiceShop):
    """The same app, by CodeDeploy: a tenth for five minutes, and what served before kept for fifteen."""

    def configure(self) -> None:
        super().configure()
        file = self.folder / "gymops.toml"
        here, shape = "[environments.staging.parameters]\n", 'traffic = "Canary10Percent5Minutes"'
        own = f'[environments.staging]\n{shape}\n\n{here}BlueGreen = "true"\n'
        text = file.read_text(encoding="utf-8").replace(here, own)
        file.write_text(text, encoding="utf-8")

    def passes(self, minutes: float) -> None:
        """Time, for AWS."""
        local = LocalAws(self.folder / ".gymops", SystemClock(), {})
        assert emulator.ask(load(local.state / "settings.json"), "clock", {"seconds": 60 * minutes})

    def deployments(self) -> list[Any]:
        """Oldest first."""
        client = self.client("codedeploy", STAGING)
        found = client.list_deployments(applicationName=NAME, deploymentGroupName=NAME)["deployments"]
        told = client.batch_get_deployments(deploymentIds=found)["deploymentsInfo"] if found else []
        return sorted(told, key=lambda one: one["createTime"])

    def said(self) -> str:
        return str(self.ask("staging", STAGING)[1].get("says"))


def until(what: str, there: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in ticks(SystemClock(), timeout=120.0, interval=0.1):
        if there():
            return
        if process.poll() is not None:
            raise AssertionError(f"{what}: exit {process.returncode}: {process.communicate()}")
    process.kill()
    raise AssertionError(f"{what}: not seen: {process.communicate()}")


@pytest.mark.long
@pytest.mark.shows("productivity-fargate", "deploy", "rollback")
def test_codedeploy_releases_and_takes_back(
    emulator_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="gymops-blue-") as folder:
        monkeypatch.setenv("DOCKER_CONFIG", f"{folder}/docker")
        shop = BlueGreenShop(Path(folder))
        try:
            shop.run("local up --port 0")
            shop.configure()
            story(shop)
        finally:
            shop.run("local down")


def story(shop: BlueGreenShop) -> None:
    shop.run("deploy staging --yes")
    assert (shop.said(), shop.deployments()) == ("first", [])
    with shop.used("staging", STAGING) as answers:
        shop.says("second")
        released(shop)
        shop.says("third")
        rang(shop)
        shop.says("nothing")
        _, said = shop.run("deploy staging --yes", 5)
        assert "does not get healthy: Essential container exited" in said
        assert shop.said() == "second"
        watch = shop.client("cloudwatch", STAGING)
        watch.set_alarm_state(AlarmName=f"{NAME}-5xx", StateValue="ALARM", StateReason="a test")
        shop.run("rollback staging --yes")
    assert {status for status, _ in answers} == {200}
    assert shop.said() == "first"
    done = shop.releases("staging")["releases"]
    assert [(one["verb"], one["outcome"]) for one in done] == [
        ("deploy", "succeeded"), ("deploy", "succeeded"), ("deploy", "rolled_back"),
        ("deploy", "rolled_back"), ("rollback", "succeeded"),
    ]  # fmt: skip
    ours = [one["status"] for one in shop.deployments() if one["creator"] == "user"]
    assert ours == ["Succeeded", "Stopped", "Stopped", "Succeeded"]
    assert done[-1]["version"] == done[0]["version"]
    status = json.loads(shop.run("status staging --json")[0])
    assert not status["serving"]["differs"]
    assert shop.tasks("staging", STAGING) == 1
    shop.run("drift staging")


def released(shop: BlueGreenShop) -> None:
    """Interrupted while a tenth of the requests has moved, the same command goes on with the same one."""
    process = shop.start("deploy staging --yes")
    until("a share", lambda: shop.said() == "second", process)
    assert "first" in {shop.said() for _ in range(20)}
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 8
    process = shop.start("deploy staging --yes")
    shop.passes(5)
    until("all", lambda: {shop.said() for _ in range(20)} == {"second"}, process)
    assert process.poll() is None
    shop.passes(15)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert [one["status"] for one in shop.deployments()] == ["Succeeded"]


def rang(shop: BlueGreenShop) -> None:
    """An alarm while everything goes to the new tasks already, and the ones before are still there."""
    process = shop.start("deploy staging --yes")
    until("a share", lambda: shop.said() == "third", process)
    shop.passes(5)
    until("all", lambda: {shop.said() for _ in range(20)} == {"third"}, process)
    watch = shop.client("cloudwatch", STAGING)
    watch.set_alarm_state(AlarmName=f"{NAME}-5xx", StateValue="ALARM", StateReason="a test")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 5, err
    assert f"Activated alarms: <{NAME}-5xx>" in err
    assert {shop.said() for _ in range(20)} == {"second"}
    watch.set_alarm_state(AlarmName=f"{NAME}-5xx", StateValue="OK", StateReason="a test")
