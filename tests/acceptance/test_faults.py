"""Releases on bad days: what gymops asks of AWS is refused, lost, cut, delayed and throttled.

No command says more than is known, and on a calm day the same command goes on to the right end: one release
for each, and nothing left over.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import botocore.endpoint
import pytest

from gymops.aws import account
from gymops.aws.account import Account
from gymops.cli import main
from gymops.clock import SystemClock
from gymops.local.emulator import LocalAws, LocalStatus
from tests.acceptance.test_any_app import PROD, STAGING, Shop
from tests.fault_proxy import CALM, Day, Fault, FaultProxy
from tests.local_aws import Aws, unique

REGION = "eu-central-1"
ACCOUNTS = {"staging": STAGING, "prod": PROD}
SEEDS, SOAK = 20, int(os.environ.get("SOAK", "200"))
OFTEN = 8
"""Runs that share a shop; all but the first of them change what is there."""
BAD_DAYS = 2
"""In a row, for one command; then comes a calm one."""
HURRY = 0.03
"""What is slept of what gymops and botocore would sleep."""
TIMEOUT = 2.0
"""Seconds until no answer is none on days when answers come late; a busy machine is no fault on others."""
_CLIENT = Account.client
_USUAL = tuple(fault for fault in Fault if fault is not Fault.LATE)


@dataclass
class World:
    """A shop on the local AWS, and what its owner does there."""

    shop: Shop
    name: str
    aws: Aws
    proxy: FaultProxy
    log: list[str]
    words: dict[str, str]
    """What each environment's app says."""
    read: dict[str, Any]
    """The records that were read, by their ETags."""
    uses: int = 0
    broken: bool = False

    @classmethod
    def make(cls, folder: Path, aws: Aws, proxy: FaultProxy) -> World:
        shop, name = Shop(folder), unique("shop")
        toml = folder / "gymops.toml"
        toml.write_text(toml.read_text(encoding="utf-8").replace('name = "shop"', f'name = "{name}"'))
        return cls(shop, name, aws, proxy, [], {}, {})

    def gymops(self, line: str, day: Day = CALM) -> int:
        """A command as in a process of its own; its exit code."""
        account._client.cache_clear()
        self.proxy.begin(day)
        out, err = io.StringIO(), io.StringIO()
        before = signal.getsignal(signal.SIGINT)
        began = time.monotonic()
        with (
            contextlib.chdir(self.shop.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch.object(Account, "client", impatient if Fault.LATE in day.faults else Account.client),
            pytest.raises(SystemExit) as ended,
        ):
            main(line.split())
        signal.signal(signal.SIGINT, before)
        code = ended.value.code
        assert isinstance(code, int)
        took = time.monotonic() - began
        self.log += [f"$ gymops {line}   {day}", *self.proxy.told, err.getvalue() + out.getvalue()]
        self.log += [f"# exit {code}, {self.proxy.requests} requests, {took:.1f} s", ""]
        assert "internal error" not in err.getvalue()
        return code

    def goes_well(self, line: str, word: str, days: random.Random) -> None:
        """A command on bad days, and on a calm one; in the end it is done, once, and the app says this."""
        environment = line.split()[-1]
        was = self.releases(environment)
        for _ in range(BAD_DAYS):
            code = self.gymops(f"{line} --yes", bad(days))
            assert code in {0, 1, 8}
            now = self.releases(environment)[len(was) :]
            assert all(one["outcome"] == "succeeded" for one in now), now  # nothing is wrong with it
            if code == 0:
                break
        else:
            assert self.gymops(f"{line} --yes") == 0
        assert [one["verb"] for one in self.releases(environment)[len(was) :]] == [line.split()[0]]
        self.words[environment] = word
        self.is_whole(environment)

    def releases(self, environment: str) -> list[Any]:
        return self.records(environment, "releases")

    def records(self, environment: str, kind: str) -> list[Any]:
        client, bucket = self.client("s3", environment), self.bucket(environment)
        if self.status(environment, f"{self.name}-base") not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            return []
        listed = client.list_objects_v2(Bucket=bucket, Prefix=f"{kind}/{environment}/").get("Contents", [])
        for one in listed:
            if one["ETag"] not in self.read:
                body = client.get_object(Bucket=bucket, Key=one["Key"])["Body"]
                self.read[one["ETag"]] = json.loads(body.read())
        found = [self.read[one["ETag"]] for one in listed]
        assert [one["number"] for one in found] == list(range(1, len(found) + 1))
        return found

    def is_whole(self, environment: str) -> None:
        """Stacks at rest, alias, code, ledger, journal and lock agree, and nothing is left over."""
        last = self.releases(environment)[-1]
        assert self.heard(environment) == self.words[environment]
        function = f"{environment}-{self.name}"
        lambdas = self.client("lambda", environment)
        alias = lambdas.get_alias(FunctionName=function, Name="live")
        assert alias["FunctionVersion"] == last["version"]
        assert not (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
        code = lambdas.get_function(FunctionName=function, Qualifier="live")["Configuration"]["CodeSha256"]
        assert base64.b64decode(code).hex() == last["artefact"]["uri"].split("/")[-2]
        operations = self.records(environment, "operations")
        assert all(one["outcome"] == "succeeded" for one in operations)
        assert [one["id"] for one in operations] == [one["operation"] for one in self.releases(environment)]
        lock = self.client("s3", environment).get_object(
            Bucket=self.bucket(environment), Key=f"locks/{environment}.json"
        )
        # The word that it is free may have met the end of a bad day: then it is free when its time is over.
        assert json.loads(lock["Body"].read())["released"] or "s3 PUT locks" in "".join(self.proxy.told)
        for stack in (f"{self.name}-base", function):
            assert self.status(environment, stack) in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
            sets = self.client("cloudformation", environment).list_change_sets(StackName=stack)["Summaries"]
            left = [one for one in sets if one["ExecutionStatus"] not in {"EXECUTE_COMPLETE", "OBSOLETE"}]
            assert not left

    def heard(self, environment: str) -> Any:
        told = self.client("lambda", environment).invoke(
            FunctionName=f"{environment}-{self.name}", Qualifier="live", Payload=b'{"rawPath": "/"}'
        )
        return json.loads(json.loads(told["Payload"].read())["body"])["says"]

    def status(self, environment: str, stack: str) -> str | None:
        client = self.client("cloudformation", environment)
        with contextlib.suppress(client.exceptions.ClientError):
            return str(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
        return None

    def bucket(self, environment: str) -> str:
        return f"{self.name}-releases-{ACCOUNTS[environment]}-{REGION}"

    def client(self, service: str, environment: str) -> Any:
        return self.aws.client(service, ACCOUNTS[environment], REGION)


def impatient(self: Account, service: str, region: str | None = None, **given: Any) -> Any:
    """A client of a day when answers come late: it does not wait for them."""
    return _CLIENT(self, service, region, **{**given, "timeout": TIMEOUT})


def bad(days: random.Random) -> Day:
    """A day with faults here and there, or with times when nothing goes through, or with both."""
    rate = days.choice([0.0, 0.03, 0.1, 0.3])
    first = days.randrange(120)
    outage = (range(first, first + days.randrange(10, 80)),) if not rate or days.random() < 0.4 else ()
    faults = (*_USUAL * 2, Fault.LATE) if days.random() < 0.25 else _USUAL
    return Day(days.randrange(1 << 30), rate, outage, faults)


@pytest.fixture(scope="module")
def proxy(aws: Aws) -> Iterator[FaultProxy]:
    with FaultProxy(aws.settings.port, late=TIMEOUT * 1.2) as found:
        yield found


@pytest.fixture(scope="module")
def shops() -> Iterator[list[World]]:
    """The shop of the runs before, if it may be used again."""
    found: list[World] = []
    yield found
    for one in found:
        shutil.rmtree(one.shop.folder)


@pytest.fixture
def world(aws: Aws, proxy: FaultProxy, shops: list[World], monkeypatch: pytest.MonkeyPatch) -> World:
    if not shops or shops[-1].broken or shops[-1].uses == OFTEN:
        shops.append(World.make(Path(tempfile.mkdtemp(prefix="gymops-shop-")), aws, proxy))
    found = shops[-1]
    folder = found.shop.folder
    status = LocalStatus(running=True, url=proxy.url, pid=None, state=folder, log=folder)
    monkeypatch.setattr(LocalAws, "status", lambda _: status)
    sleep = time.sleep
    monkeypatch.setattr(SystemClock, "sleep", lambda _, seconds: sleep(seconds * HURRY))
    hurried = SimpleNamespace(sleep=lambda seconds: sleep(seconds * HURRY))
    monkeypatch.setattr(botocore.endpoint, "time", hurried)
    found.uses += 1
    found.broken = True
    found.log.clear()
    return found


@pytest.mark.parametrize(
    "seed",
    [
        *(pytest.param(seed, marks=pytest.mark.long) for seed in range(SEEDS)),
        *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(SEEDS, SEEDS + SOAK)),
    ],
)
def test_releases_survive_bad_days(seed: int, world: World) -> None:
    days, word = random.Random(seed), f"word{seed}"
    before = world.words.get("prod")
    try:
        world.shop.says(word)
        world.goes_well("deploy staging", word, days)
        world.goes_well("promote staging prod", word, days)
        staging, prod = (world.releases(environment)[-1] for environment in ACCOUNTS)
        assert staging["artefact"]["digest"] == prod["artefact"]["digest"]
        assert staging["template"] == prod["template"]
        if before:
            world.goes_well("rollback prod", before, days)
    finally:
        print(f"seed {seed}:", *world.log, sep="\n")  # pytest shows it where the test fails
    world.broken = False
