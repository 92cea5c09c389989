"""What a deploy costs beyond CloudFormation's own time, beside ``aws cloudformation deploy``.

    python -m tests.benchmarks.deploy [--runs 5] [--aws .venv-awscli/bin/aws]

The app of docs/any-app.md on one local AWS, each tool with a stack of its own, in turns: nothing changed,
then other code. Both go through the same counting proxy. The CLI's way to new code is to store a zip, then to
deploy; it builds nothing, publishes no version, asks nothing, moves no alias and records nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import boto3

from gymops.clock import SystemClock
from gymops.local.emulator import LocalAws
from gymops.local.settings import load
from tests.benchmarks import counting, ratios

REGION = "eu-central-1"
OURS, THEIRS = "222222222222", "444444444444"
_PAGE = Path(__file__).parents[2] / "docs" / "any-app.md"
_FILE = re.compile(r"^`(\S+)`\n\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
NOTHING, CODE = "nothing changed", "other code"


class FailedError(Exception):
    """A candidate did not do its job."""


@dataclass(frozen=True)
class Run:
    """One deploy."""

    seconds: float
    moving: float
    """Seconds that CloudFormation worked on the stack: of each operation, from first event to last."""
    calls: Counter[str]

    @property
    def beyond(self) -> float:
        """Seconds that are the tool's own."""
        return self.seconds - self.moving


Measured = dict[tuple[str, str], list[Run]]
"""By what was deployed, and by whom."""


class Place:
    """A folder with the page's app, and the local AWS in it."""

    def __init__(self, folder: Path, proxy: str, calls: counting.Calls) -> None:
        self.folder = folder
        self._proxy = proxy
        self._calls = calls
        for name, text in _FILE.findall(_PAGE.read_text(encoding="utf-8")):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")

    def gymops(self, *arguments: str) -> None:
        self.run(str(Path(sys.executable).with_name("gymops")), *arguments)

    def run(self, *command: str, account: str = THEIRS) -> None:
        """A command, through the proxy."""
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith(("GYMOPS_", "AWS_")) and not name.upper().endswith("_PROXY")
        }
        credentials = {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "local"}
        done = subprocess.run(
            command, cwd=self.folder, env={**environ, **credentials, "HTTP_PROXY": self._proxy},
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            raise FailedError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")

    @property
    def url(self) -> str:
        state = LocalAws(self.folder / ".gymops", SystemClock(), os.environ).state
        return load(state / "settings.json").url

    def client(self, service: str, account: str) -> Any:
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=account,
            aws_secret_access_key="local",
        )  # fmt: skip

    def says(self, word: str) -> None:
        """Change the app's code."""
        code = self.folder / "shop.py"
        changed = re.sub(r'"says": "\w+"', f'"says": "{word}"', code.read_text(encoding="utf-8"))
        code.write_text(changed, encoding="utf-8")

    def measure(self, account: str, stack: str, deploy: Callable[[], None]) -> Run:
        """One deploy, and what CloudFormation did meanwhile."""
        before = {event["EventId"] for event in self._events(account, stack)}
        self._calls.taken()
        began = time.perf_counter()
        deploy()
        seconds = time.perf_counter() - began
        calls = self._calls.taken()
        fresh = [event for event in self._events(account, stack) if event["EventId"] not in before]
        return Run(seconds, moving(fresh[::-1]), calls)

    def _events(self, account: str, stack: str) -> list[Mapping[str, Any]]:
        pages = self.client("cloudformation", account).get_paginator("describe_stack_events")
        return [event for page in pages.paginate(StackName=stack) for event in page["StackEvents"]]


def moving(events: Sequence[Mapping[str, Any]]) -> float:
    """Seconds of the operations in these events, the oldest first; the stack's own begin and end each."""
    seconds, began = 0.0, None
    for event in events:
        if event["PhysicalResourceId"] != event["StackId"]:
            continue
        at: datetime = event["Timestamp"]
        if began is None:
            began = at
        elif not event["ResourceStatus"].endswith("_IN_PROGRESS"):
            seconds += (at - began).total_seconds()
            began = None
    return seconds


class Gymops:
    """``gymops deploy staging --yes``, from its start to its exit."""

    name = "gymops deploy"
    account, stack = OURS, "staging-shop"

    def __init__(self, place: Place) -> None:
        self._place = place

    def deploy(self, kind: str) -> None:
        self._place.gymops("deploy", "staging", "--yes")


class Cli:
    """``aws cloudformation deploy``, after ``aws s3 cp`` where there is other code."""

    name = "aws cloudformation deploy"
    account, stack = THEIRS, "plain-shop"
    _BUCKET = "plain-releases"

    def __init__(self, place: Place, aws: str) -> None:
        self._place = place
        self._aws = aws
        self._key = ""
        place.client("s3", self.account).create_bucket(
            Bucket=self._BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def deploy(self, kind: str) -> None:
        if kind == CODE:
            code = (self._place.folder / "shop.py").read_bytes()
            self._key = f"{hashlib.sha256(code).hexdigest()}.zip"
            with zipfile.ZipFile(self._place.folder / "shop.zip", "w") as file:
                file.writestr("shop.py", code)
            self._call("s3", "cp", "shop.zip", f"s3://{self._BUCKET}/{self._key}")
        given = {
            "Environment": "plain", "AppName": "shop", "CodeBucket": self._BUCKET, "CodeKey": self._key,
            "Runtime": f"python{sys.version_info[0]}.{sys.version_info[1]}", "Handler": "shop.handler",
            "Architecture": "arm64" if os.uname().machine in {"arm64", "aarch64"} else "x86_64",
        }  # fmt: skip
        self._call(
            "cloudformation", "deploy", "--stack-name", self.stack, "--template-file", "infra/template.yaml",
            "--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset", "--parameter-overrides",
            *(f"{name}={value}" for name, value in given.items()),
        )  # fmt: skip

    def _call(self, *arguments: str) -> None:
        self._place.run(
            self._aws, *arguments, "--endpoint-url", self._place.url, "--region", REGION, account=self.account
        )


@contextmanager
def place() -> Iterator[Place]:
    """A local AWS for the benchmark alone."""
    with tempfile.TemporaryDirectory(prefix="gymops-bench-") as folder, counting.proxy() as (url, calls):
        found = Place(Path(folder), url, calls)
        try:
            found.gymops("local", "up", "--port", "0")
            yield found
        finally:
            found.gymops("local", "down")


def measure(found: Place, candidates: Sequence[Gymops | Cli], runs: int) -> Measured:
    """All of it, in turns; the first release of each is made before and not measured."""
    measured: Measured = {}
    for one in candidates:
        one.deploy(CODE)
    for run in range(runs):
        for kind in (NOTHING, CODE):
            if kind == CODE:
                found.says(f"run{run}")
            for one in candidates:
                done = found.measure(one.account, one.stack, partial(one.deploy, kind))
                if (done.moving > 0) != (kind == CODE):
                    raise FailedError(f"{one.name}, {kind}: CloudFormation worked {done.moving:.2f} s")
                measured.setdefault((kind, one.name), []).append(done)
                print(f"{kind}, {one.name}: {done.seconds:.2f} s", file=sys.stderr, flush=True)
    return measured


def report(measured: Measured, load: float) -> str:
    """The figures as Markdown."""
    lines = [
        "| what | tool | API calls | median s | CloudFormation's own s | s beyond that (range) | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for (kind, name), runs in measured.items():
        beyond = [one.beyond for one in runs]
        theirs = measured.get((kind, Cli.name))
        ratio = f"{median(beyond) / median(one.beyond for one in theirs):.2f}" if theirs else "-"
        calls = median(one.calls.total() for one in runs)
        lines.append(
            f"| {kind} | {name} | {calls:.0f} | {median(one.seconds for one in runs):.2f}"
            f" | {median(one.moving for one in runs):.2f}"
            f" | {median(beyond):.2f} ({min(beyond):.2f}-{max(beyond):.2f}) | {ratio} |"
        )
    for (kind, name), runs in measured.items():
        counted = sorted(runs[-1].calls.items(), key=lambda one: (-one[1], one[0]))
        told = ", ".join(f"{call} {times}" for call, times in counted)
        lines += ["", f"{name}, {kind}: {told}."]
    return "\n".join([*lines, "", ratios.told(load)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.deploy", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="deploys of each kind; medians are reported")
    parser.add_argument("--aws", default=shutil.which("aws"), help="the AWS CLI")
    options = parser.parse_args(arguments)
    load = ratios.load()
    with place() as found:
        candidates: list[Gymops | Cli] = [Gymops(found)]
        if options.aws:
            candidates.append(Cli(found, str(Path(options.aws).absolute())))
        print(report(measure(found, candidates, options.runs), load))
    if not options.aws:
        print("\nThe AWS CLI is not installed: gymops was measured alone.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
