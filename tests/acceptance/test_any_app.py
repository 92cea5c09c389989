"""An app and a template that are not ours, as docs/any-app.md has them, released by the commands."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from gymops.clock import SystemClock, ticks
from gymops.local.emulator import LocalAws
from gymops.local.settings import load

STAGING, PROD = "222222222222", "333333333333"
PAGE = Path(__file__).parents[2] / "docs" / "any-app.md"
_FILE = re.compile(r"^`(\S+)`\n\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
LEASE = 8
START = f"""
import sys
from gymops.cli import main
from gymops.deploy.release.lock import Lock
Lock.__init__.__kwdefaults__["seconds"] = {LEASE}.0
main(sys.argv[1:])
"""
"""gymops, whose lock can be taken over sooner than after the usual minute."""
_OFTEN = ("stack", "version", "traffic")
"""The steps that are killed in the long tests; the others in the soak. In memory all are killed each time."""
STEPS = ("artefact", "stack", "schema", "version", "smoke", "traffic", "settle", "record")


class Shop:
    """A directory with the page's files, and what its owner does there."""

    region = "eu-central-1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in _FILE.findall(PAGE.read_text(encoding="utf-8")):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")

    def start(self, line: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", START, *line.split()],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, line: str, code: int = 0) -> tuple[str, str]:
        process = self.start(line)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, f"gymops {line}: exit {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in err, err
        return out, err

    def ended(self, line: str) -> int:
        """A command's exit code: well, or somebody else's lock."""
        process = self.start(line)
        _, err = process.communicate(timeout=300)
        assert process.returncode in {0, 7}, err
        return process.returncode

    def cut(self, line: str, step: str, how: signal.Signals = signal.SIGKILL) -> int:
        """Kill a command as soon as it says that a step begins; its exit code, 0 if it was done sooner."""
        process = self.start(line)
        assert process.stderr
        for row in process.stderr:
            if row.rstrip().endswith(f": {step}"):
                process.send_signal(how)
                break
        process.communicate(timeout=60)
        return process.returncode

    def says(self, word: str) -> None:
        """Change what the shop answers."""
        code = self.folder / "shop.py"
        changed = re.sub(r'"says": "\w+"', f'"says": "{word}"', code.read_text(encoding="utf-8"))
        code.write_text(changed, encoding="utf-8")

    def client(self, service: str, account: str) -> Any:
        local = LocalAws(self.folder / ".gymops", SystemClock(), os.environ)
        return boto3.client(
            service, endpoint_url=load(local.state / "settings.json").url, region_name=self.region,
            aws_access_key_id=account, aws_secret_access_key="local",
        )  # fmt: skip

    def heard(self, environment: str, account: str) -> Any:
        """What its alias answers."""
        event = json.dumps({"rawPath": "/"}).encode()
        told = self.client("lambda", account).invoke(
            FunctionName=f"{environment}-shop", Qualifier="live", Payload=event
        )
        return json.loads(json.loads(told["Payload"].read())["body"])

    def releases(self, environment: str) -> Any:
        return json.loads(self.run(f"releases {environment} --json")[0])

    def begun(self) -> list[str]:
        """The steps of staging's last operation that were begun, as the record in the bucket has them."""
        client = self.client("s3", STAGING)
        bucket = f"shop-releases-{STAGING}-eu-central-1"
        keys = [one["Key"] for one in client.list_objects_v2(Bucket=bucket, Prefix="operations/")["Contents"]]
        last = json.loads(client.get_object(Bucket=bucket, Key=max(keys))["Body"].read())
        assert last["outcome"] is None
        return [step["name"] for step in last["steps"] if step["state"] != "pending"]


@pytest.fixture(scope="module")
def shop(emulator_installed: None) -> Iterator[Shop]:
    with tempfile.TemporaryDirectory(prefix="gymops-shop-") as folder:
        found = Shop(Path(folder))
        try:
            found.run("local up --port 0")
            found.run("deploy staging --yes")  # there is something to kill a release of
            yield found
        finally:
            found.run("local down")


@pytest.mark.long
def test_it_is_released_taken_back_and_promoted(shop: Shop) -> None:
    shop.says("first")
    shop.run("deploy staging --yes")
    assert shop.heard("staging", STAGING) == {"shop": "staging", "says": "first"}
    shop.says("second")
    shop.run("deploy staging --dry-run", 3)
    assert shop.heard("staging", STAGING)["says"] == "first"
    shop.run("deploy staging --yes")
    assert shop.heard("staging", STAGING)["says"] == "second"
    shop.run("rollback staging --dry-run", 3)
    assert shop.heard("staging", STAGING)["says"] == "second"
    shop.run("rollback staging --yes")
    assert shop.heard("staging", STAGING)["says"] == "first"
    shop.run("promote staging prod --dry-run", 3)
    assert shop.releases("prod")["releases"] == []
    shop.run("promote staging prod --yes")
    assert shop.heard("prod", PROD) == {"shop": "prod", "says": "first"}


@pytest.mark.long
def test_told_to_end_it_detaches_and_the_lock_is_free_at_once(shop: Shop) -> None:
    shop.says("asked")
    assert shop.cut("deploy staging --yes", "version", signal.SIGTERM) == 8
    assert "version" in shop.begun()
    assert "locked      by nobody" in shop.run("status staging")[0]
    shop.run("deploy staging --yes")
    assert shop.heard("staging", STAGING)["says"] == "asked"


@pytest.mark.parametrize(
    "step",
    [pytest.param(step, marks=pytest.mark.long if step in _OFTEN else pytest.mark.soak) for step in STEPS],
)
def test_killed_at_any_step_the_same_command_ends_with_one_release(shop: Shop, step: str) -> None:
    for attempt in range(5):
        shop.says(word := f"{step}{attempt}")
        before = len(shop.releases("staging")["releases"])
        if shop.cut("deploy staging --yes", step) == -signal.SIGKILL:
            break
    else:
        pytest.fail(f"{step} was over sooner than it could be killed, five times")
    begun = shop.begun()
    assert step in begun
    assert begun == list(STEPS[: len(begun)])
    for _ in ticks(SystemClock(), timeout=8 * LEASE, interval=2.0):
        if shop.ended("deploy staging --yes") != 7:  # the dead one's lock
            break
    after = shop.releases("staging")["releases"][before:]
    assert [(one["verb"], one["outcome"]) for one in after] == [("deploy", "succeeded")]
    assert shop.heard("staging", STAGING)["says"] == word
