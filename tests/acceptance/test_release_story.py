"""Releases as a user makes them, in two accounts of one local AWS, with somebody at the app all the time.

Good ones, a killed one, an interrupted one, two at once, one that is broken, one that is slow, a rollback;
and in the end no request failed, and prod's database holds what was acknowledged, no more and no less.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import psycopg
import pytest

from gymops.cli.payload import payload
from gymops.clock import SystemClock
from gymops.local.emulator import LocalAws
from gymops.local.settings import load
from tests.acceptance.test_docs import RELEASE_RUNBOOKS, commands
from tests.acceptance.test_local_path import Steps
from tests.integration.stacks.environment import Environment
from tests.integration.stacks.using import owner
from tests.local_aws import Aws, until

ROOT = Path(__file__).parents[2]
ACCOUNTS = {"staging": "222222222222", "prod": "333333333333"}
REGION = "us-west-1"
SECOND = """
_first = handler
def handler(event, context):
    answer = _first(event, context)
    if "headers" in answer:
        answer["headers"]["x-release"] = "second"
    return answer
"""
BROKEN = "\nraise RuntimeError('a release that cannot be imported')\n"
SLOW = """
import time
_second = handler
def handler(event, context):
    time.sleep(2)
    return _second(event, context)
"""


class Done(NamedTuple):
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Story:
    """A directory, and what a user does in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps = Steps()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "gymops", *arguments],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, line: str, *more: str, code: int = 0) -> Done:
        """A command by its exit code."""
        done = self.any(line, *more)
        assert done.code == code, f"gymops {line}: exit {done.code}\n{done.out}\n{done.err}"
        return done

    def any(self, line: str, *more: str) -> Done:
        """A command, however it ends."""
        done = ended(self.start(*line.split(), *more))
        assert "Traceback" not in done.err, done.err
        return done

    def cut(self, line: str, step: str, sent: signal.Signals) -> Done:
        """A command that gets a signal in the middle of a step."""
        process = self.start(*line.split())
        assert process.stderr
        told = lines_to(process.stderr, f": {step}\n")
        process.send_signal(sent)
        return ended(process, told)

    def releases(self, environment: str) -> Any:
        return self.run(f"releases {environment} --json").document

    def last(self, environment: str) -> Any:
        return self.releases(environment)["releases"][-1]

    def app(self, more: str) -> None:
        """The app as it comes, in a folder of its own and with this at its end."""
        source = self.folder / "src"
        if not source.exists():
            for part in "gymops", "migrations":
                shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
            with (self.folder / "gymops.toml").open("a", encoding="utf-8") as settings:
                settings.write(described())
        handler = (ROOT / "gymops/app/handler.py").read_text(encoding="utf-8")
        (source / "gymops/app/handler.py").write_text(handler + more, encoding="utf-8")

    def environment(self, name: str) -> Environment:
        """An environment from outside."""
        local = LocalAws(self.folder / ".gymops", SystemClock(), os.environ)
        aws = Aws(local, load(local.state / "settings.json"))
        written = tomllib.loads((self.folder / "gymops.toml").read_text(encoding="utf-8"))
        env = Environment(aws, name, ACCOUNTS[name], self.folder, written["environments"][name]["parameters"])
        stack = env.client("cloudformation").describe_stacks(StackName=f"{name}-gym-app")["Stacks"][0]
        env.outputs["app"] = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        return env

    def serving(self, name: str) -> str:
        """The version that an environment's alias points at, and nothing else gets requests."""
        env = self.environment(name)
        function = env.outputs["app"]["FunctionName"]
        alias = env.client("lambda").get_alias(FunctionName=function, Name="live")
        assert not (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
        return str(alias["FunctionVersion"])


def described() -> str:
    """``[app]`` for a copy of the app that comes with gymops."""
    app = payload()
    written = {
        "name": app.name, "package": list(app.packages), "handler": app.handler, "source": "src",
        "lock": str(app.lock), "migrations": "migrations", "modules": list(app.modules),
        "files": list(app.files), "exclude": list(app.exclude), "zip_without": list(app.zip_without),
    }  # fmt: skip
    lines = [f"{name} = {json.dumps(value)}" for name, value in written.items()]
    return "\n".join(["", "[app]", *lines, ""])


def lines_to(stream: IO[str], end: str) -> str:
    """What a process says until a line ends so."""
    told = ""
    for line in stream:
        told += line
        if line.endswith(end):
            return told
    raise AssertionError(f"it never said {end!r}:\n{told}")


def ended(process: subprocess.Popen[str], told: str = "") -> Done:
    """A command's end, printed; ``told`` is what it said so far."""
    with process:
        out, err = process.communicate(timeout=600)
    words = process.args[3:] if isinstance(process.args, list) else []
    print("$ gymops", *words, f"\n{told}{err}{out}(exit {process.returncode})\n")
    return Done(process.returncode, out, told + err)


@pytest.fixture
def story(emulator_installed: None) -> Iterator[Story]:
    """An empty directory."""
    with tempfile.TemporaryDirectory(prefix="gymops-story-") as name:
        found = Story(Path(name))
        yield found
        found.any("local down")


@pytest.mark.long
@pytest.mark.longest
@pytest.mark.shows("titan-trakr", "deploy", "promote", "rollback")
def test_nothing_is_lost_by_releasing(story: Story) -> None:
    """The seconds of each part are printed."""
    story.run("init --architecture titan-trakr")
    story.run("local up --port 0 --archive-every 0")
    nothing_was_released(story)
    first_releases(story)
    with use(story) as used:
        release_killed(story)
        promotion_interrupted(story)
        same_command_goes_on(story)
        bad_releases_are_caught(story)
        two_promotions_at_once(story)
        back(story)
        ledger_tells_it(story)
        runbooks_run(story)
        told = used.end()
    assert told["failed"] == []
    assert told["releases"] == ["", "second", "", "second", ""]
    assert told["asked"] > len(told["acknowledged"]) > 100
    assert stored(story) == sorted(told["acknowledged"])
    print(story.steps, f"{told['asked']} requests", sep="; ")


def nothing_was_released(story: Story) -> None:
    refused = story.run("promote staging prod --yes", code=4)
    assert "nothing was released to staging yet" in refused.err
    assert "gymops promote staging prod" in story.run("deploy prod --yes", code=4).err
    story.run("rollback prod --yes", code=4)
    assert story.releases("prod") == {"environment": "prod", "running": None, "releases": []}
    story.steps.done("refusals")


def first_releases(story: Story) -> None:
    story.run("deploy staging --yes")
    story.steps.done("first deploy")
    story.run("promote staging prod --approved-by mara --yes")
    story.steps.done("first promotion")
    deployed, promoted = (story.last(name) for name in ("staging", "prod"))
    assert promoted["artefact"]["digest"] == deployed["artefact"]["digest"]
    assert promoted["template"] == deployed["template"]
    assert promoted["source"] == {"environment": "staging", "number": 1}
    assert (promoted["number"], promoted["outcome"], promoted["approved_by"]) == (1, "succeeded", "mara")
    story.run("rollback prod --yes", code=4)


def release_killed(story: Story) -> None:
    """Its lock outlives it for a minute on other machines, which says whose it is."""
    story.app(SECOND)
    assert story.cut("deploy staging --yes", "stack", signal.SIGKILL).code == -signal.SIGKILL
    (story.folder / ".gymops/locks/staging").unlink()  # what tells this machine that it is gone
    held = story.run("deploy staging --yes", code=7)
    assert re.search(r"process \d+", held.err)
    assert len(story.releases("staging")["releases"]) == 1
    story.steps.done("killed")


def promotion_interrupted(story: Story) -> None:
    """Nothing new is in staging yet, so that what was promoted is promoted again."""
    detached = story.cut("promote staging prod --yes", "settle", signal.SIGINT)
    assert detached.code == 8, detached.err
    assert "gymops attach prod, or again: gymops promote staging prod" in detached.err
    promoted = story.run("promote staging prod --yes")
    went_on = "promote prod: settle (attempt 2)", "promote prod: stack-edge"  # where it was just done
    assert any(line in promoted.err for line in went_on)
    assert "promote prod: version" not in promoted.err
    assert story.last("prod")["number"] == 2
    story.steps.done("interrupted")


def same_command_goes_on(story: Story) -> None:
    tries: list[Done] = []

    def free() -> bool:
        tries.append(story.any("deploy staging --yes"))
        return tries[-1].code != 7

    until(free, seconds=300)
    assert tries[-1].code == 0, tries[-1].err
    assert "deploy staging: stack (attempt 2)" in tries[-1].err
    assert [one["number"] for one in story.releases("staging")["releases"]] == [1, 2]
    story.steps.done("gone on")


def bad_releases_are_caught(story: Story) -> None:
    serving = story.serving("staging")
    story.app(SECOND + BROKEN)
    broken = story.run("deploy staging --yes", code=5)
    assert "did not answer: RuntimeError: a release that cannot be imported" in broken.err
    assert "deploy staging: traffic" not in broken.err
    assert story.serving("staging") == serving
    story.steps.done("broken")

    settings, canary = story.folder / "gymops.toml", '\n[environments.staging]\ntraffic = "{}"\n'
    before = settings.read_text(encoding="utf-8")
    # Returned as soon as there are answers enough; so many minutes only on a machine that hardly moves.
    settings.write_text(before + canary.format("Canary50Percent5Minutes"), encoding="utf-8")
    story.app(SECOND + SLOW)
    slow = story.run("deploy staging --yes", code=5)
    assert "50% of the requests go to version" in slow.err
    assert f"version {serving} serves again" in slow.err
    assert story.serving("staging") == serving
    settings.write_text(before, encoding="utf-8")
    story.steps.done("slow")

    found = story.releases("staging")
    assert found["running"] == 2
    assert [one["outcome"] for one in found["releases"]] == ["succeeded"] * 2 + ["rolled_back"] * 2


def two_promotions_at_once(story: Story) -> None:
    """What goes to prod is the release that was found good, and not what was tried after it."""
    both = [story.start(*["promote", "staging", "prod", "--yes", "--json"]) for _ in range(2)]
    done = sorted((ended(one) for one in both), key=lambda one: one.code)
    assert [one.code for one in done] == [0, 7], [one.err for one in done]
    promoted = done[0].document
    assert promoted["source"] == {"environment": "staging", "number": 2}
    second = story.releases("staging")["releases"][1]
    assert promoted["artefact"]["digest"] == second["artefact"]["digest"]
    story.steps.done("two at once")


def back(story: Story) -> None:
    story.run("rollback prod --yes")
    returned = story.last("prod")
    assert (returned["number"], returned["verb"], returned["outcome"]) == (4, "rollback", "succeeded")
    assert story.serving("prod") == returned["version"]
    story.steps.done("rollback")


def ledger_tells_it(story: Story) -> None:
    found = story.releases("prod")
    assert found["running"] == 4
    told = [(one["verb"], one["outcome"], (one["source"] or {}).get("number")) for one in found["releases"]]
    assert told == [
        ("promote", "succeeded", 1),
        ("promote", "succeeded", 1),
        ("promote", "succeeded", 2),
        ("rollback", "succeeded", 2),
    ]
    first, again, second, last = (one["artefact"]["digest"] for one in found["releases"])
    assert first == again == last != second
    assert all(one["smoke"] and all(path["good"] for path in one["smoke"]) for one in found["releases"])
    assert len({one["operation"] for one in found["releases"]}) == 4
    story.run("releases prod")


def runbooks_run(story: Story) -> None:
    """Every command that the runbooks of releases show."""
    story.app(SECOND)
    for document in RELEASE_RUNBOOKS:
        shown = commands(document)
        assert shown, document.name
        for command, code in shown:
            story.run(command.removeprefix("gymops "), code=code)
    assert story.releases("prod")["running"] == 6
    story.steps.done("runbooks")


class Use:
    """The loader, as a process of its own."""

    def __init__(self, story: Story, environment: str) -> None:
        env = story.environment(environment)
        secret = env.client("secretsmanager").get_secret_value(
            SecretId=env.outputs["app"]["PasscodeSecretArn"]
        )
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "tests.acceptance.loader", env.outputs["app"]["FunctionUrl"],
                env.account, REGION,
            ],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{secret['SecretString']}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "ready\n"

    def end(self) -> Any:
        out, _ = self._process.communicate(timeout=120)
        return json.loads(out)

    def __enter__(self) -> Use:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes the pipes
            self._process.kill()


def use(story: Story, environment: str = "prod") -> Use:
    return Use(story, environment)


def stored(story: Story, environment: str = "prod") -> list[str]:
    """The ids of all events in an environment's database."""
    env = story.environment(environment)
    with psycopg.connect(owner(env, env.outputs["app"]["DatabaseIdentifier"])) as connection:
        return sorted(str(row[0]) for row in connection.execute("select event_id from events"))
