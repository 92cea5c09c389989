"""Secrets get new values on the local AWS as a user gives them, while somebody is at the app all the time."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gymops.clock import SystemClock
from gymops.deploy.smoke import request
from gymops.local.emulator import LocalAws
from gymops.local.settings import load
from tests.acceptance.test_docs import ROOT, SECRETS_RUNBOOK, commands
from tests.integration.stacks.signed import Signed
from tests.local_aws import Aws

ACCOUNT, REGION = "222222222222", "us-west-1"


class Place:
    """A directory with a local AWS that has one release in staging."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, line: str, typed: str | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "gymops", *line.split()],
            cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if typed is not None:
            assert process.stdin
            process.stdin.write(typed)
        return process

    def run(self, line: str, code: int = 0, typed: str | None = None) -> Any:
        """A command by its exit code: its document, or what it printed. No secret is in it."""
        with self.start(line, typed) as process:
            out, err = process.communicate(timeout=600)
        assert process.returncode == code, f"gymops {line}: exit {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in err
        print(f"$ gymops {line}\n{err}{out}")
        if "app" in self.__dict__:
            assert not [value for value in self.values() if value in out + err]
        return json.loads(out) if "--json" in line else out + err

    def client(self, service: str) -> Any:
        local = LocalAws(self.folder / ".gymops", SystemClock(), os.environ)
        return Aws(local, load(local.state / "settings.json")).client(service, ACCOUNT, REGION)

    def released(self) -> None:
        self.run("init --architecture titan-trakr")
        self.run("local up --port 0 --archive-every 0")
        settings = self.folder / "gymops.toml"
        text = settings.read_text(encoding="utf-8")
        text, changed = re.subn(
            r"(\[environments\.staging\.parameters\]\n)", r'\1SecretSeconds = "1"\n', text
        )
        assert changed == 1
        settings.write_text(text, encoding="utf-8")
        self.run("deploy staging --yes")
        stack = self.client("cloudformation").describe_stacks(StackName="staging-gym-app")["Stacks"][0]
        self.app = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    def text(self, output: str, stage: str = "AWSCURRENT") -> str:
        found = self.client("secretsmanager").get_secret_value(SecretId=self.app[output], VersionStage=stage)
        return str(found["SecretString"])

    def stages(self, output: str) -> list[str]:
        found = self.client("secretsmanager").describe_secret(SecretId=self.app[output])
        return sorted(stage for stages in found["VersionIdsToStages"].values() for stage in stages)

    def values(self) -> list[str]:
        """What nobody may see."""
        master = json.loads(self.text("DatabaseSecretArn"))["password"]
        return [self.text("PasscodeSecretArn"), self.text("SessionSecretArn"), master]

    def somebody(self) -> Signed:
        return Signed(self.app["FunctionUrl"], ACCOUNT, REGION)

    def cookie(self) -> str:
        answer = self.somebody().post("/api/session", {"passcode": self.text("PasscodeSecretArn")})
        return str(answer.headers["set-cookie"]).partition(";")[0]

    def asked_of_another_process(self, cookie: str) -> int:
        """The same code; nobody else asks it."""
        event = {**request("/api/session"), "cookies": [cookie]}
        found = self.client("lambda").invoke(
            FunctionName=self.app["FunctionName"], Payload=json.dumps(event), Qualifier="$LATEST"
        )
        return int(json.load(found["Payload"])["statusCode"])

    def signed_in(self) -> Signed:
        somebody = self.somebody()
        answer = somebody.post("/api/session", {"passcode": self.text("PasscodeSecretArn")})
        assert answer.status == 204, answer.body
        return somebody


@pytest.fixture
def place(emulator_installed: None) -> Iterator[Place]:
    """An empty directory."""
    with tempfile.TemporaryDirectory(prefix="gymops-secrets-") as name:
        found = Place(Path(name))
        yield found
        with found.start("local down") as process:
            process.communicate(timeout=120)


@pytest.mark.long
def test_secrets_get_new_values_and_nobody_notices(place: Place) -> None:
    place.released()
    everything_is_listed(place)
    before = place.signed_in()
    with used(place) as loader:
        an_interrupted_rotation_goes_on(place)
        a_value_that_the_app_does_not_take_is_never_in_force(place)
        assert before.get("/api/session").status == 200
        out, _ = loader.communicate(timeout=120)
    told = json.loads(out)
    assert told["failed"] == []
    assert told["asked"] > len(told["acknowledged"]) > 20
    print(f"{told['asked']} requests, none failed")
    a_new_passcode_ends_sessions(place, before)
    the_runbook_runs(place)


def everything_is_listed(place: Place) -> None:
    found = {one["name"]: one for one in place.run("secrets list staging --json")["secrets"]}
    ways = {name: one["way"] for name, one in found.items()}
    assert ways == {"PasscodeSecret": "cut", "SessionSecret": "overlap", "Database": "rds"}
    assert found["SessionSecret"]["readers"] == ["Function (GYMOPS_APP_SESSION_SECRET_ARN)"]
    assert len(found["Database"]["readers"]) > 1
    assert not any(one["unfinished"] for one in found.values())
    place.run("secrets list staging")
    assert "nothing was released" in place.run("secrets list prod")


def an_interrupted_rotation_goes_on(place: Place) -> None:
    passcode, session, master = place.values()
    cookie = place.cookie()
    pending = interrupted(place, "secrets rotate staging --yes")
    assert place.text("SessionSecretArn") == session
    assert place.asked_of_another_process(cookie) == 200  # it begins now, in the middle of it
    done = place.run("secrets rotate staging --yes --json")
    assert {one["name"] for one in done["secrets"]} == {"SessionSecret", "Database"}
    assert place.text("SessionSecretArn") == pending
    assert place.text("SessionSecretArn", "AWSPREVIOUS") == session
    assert place.stages("SessionSecretArn") == ["AWSCURRENT", "AWSPREVIOUS"]
    assert len(place.text("SessionSecretArn")) == 64
    assert place.text("PasscodeSecretArn") == passcode
    assert place.values()[2] != master
    assert place.asked_of_another_process(cookie) == 200


def interrupted(place: Place, line: str) -> str:
    """By Ctrl-C while it waits; the value that is pending then."""
    with place.start(line) as process:
        assert process.stderr
        for told in process.stderr:
            if "until every process knows it" in told:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    listed = {one["name"]: one["unfinished"] for one in place.run("secrets list staging --json")["secrets"]}
    assert listed == {"PasscodeSecret": False, "SessionSecret": True, "Database": False}
    return place.text("SessionSecretArn", "AWSPENDING")


def a_value_that_the_app_does_not_take_is_never_in_force(place: Place) -> None:
    held = place.values()
    told = place.run("secrets set staging PasscodeSecret", code=5, typed="2short\n")
    assert "GYMOPS_APP_PASSCODE is too short" in told
    assert "2short" not in told
    assert place.values() == held
    assert place.stages("PasscodeSecretArn") == ["AWSCURRENT"]
    place.run("secrets set staging PasscodeSecret", code=2, typed="\n")
    place.run("secrets set staging Database", code=2, typed="anything at all\n")
    place.run("secrets rotate staging Passcode --yes", code=2)


def a_new_passcode_ends_sessions(place: Place, before: Signed) -> None:
    place.run("secrets set staging PasscodeSecret", typed="a new passcode\n")
    assert place.text("PasscodeSecretArn") == "a new passcode"
    assert before.get("/api/session").status == 401
    assert place.signed_in().get("/api/session").status == 200


def the_runbook_runs(place: Place) -> None:
    """Every command that it shows."""
    shown = commands(SECRETS_RUNBOOK)
    assert len(shown) == 6
    assert {code for _, code in shown} == {0}
    done = place.run("runbook run secret-rotation --yes --set ENV=staging")
    assert "[6 of 6]" in done
    listed = place.run("secrets list staging --json")["secrets"]
    assert not any(one["unfinished"] for one in listed)


@contextmanager
def used(place: Place) -> Iterator[subprocess.Popen[str]]:
    """The loader, as a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.acceptance.loader", place.app["FunctionUrl"], ACCOUNT, REGION],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{place.text('PasscodeSecretArn')}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()
