"""voice-tracker-neon as a user has it: started, released with its pages, promoted, and taken back.

In Neon's place stands a PostgreSQL in each account; CloudFront is only recorded, so its header is shown here.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from gymops.clock import SystemClock
from gymops.local.emulator import LocalAws
from gymops.local.settings import load
from tests.acceptance.test_release_story import ACCOUNTS, ROOT, SECOND, Story, described
from tests.contract.places import SQLITE_NEON
from tests.integration.stacks.environment import Environment
from tests.integration.stacks.signed import Answer, Signed
from tests.integration.stacks.test_neon import instead_of_neon, sent_by_cloudfront
from tests.integration.stacks.using import log_a_set, sign_in
from tests.local_aws import Aws
from tests.neon_api import PASSWORD, neon_api
from tests.sources import event

PAGES = Path("gymops/app/web/static")
MOVED = 7
"""Events of before."""


class FromCloudFront(Signed):
    """Somebody at the API, by way of the distribution."""

    def __init__(self, env: Environment) -> None:
        super().__init__(env.outputs["app"]["ApiEndpoint"], env.account, env.of.region)
        self._shown = {"x-origin-secret": sent_by_cloudfront(env)}
        self._kept: dict[str, str] = {}

    def _send(self, method: str, path: str, body: bytes | None) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self._kept.items())
        answer = httpx.request(
            method, self._url + path, content=body, trust_env=False, timeout=60,
            headers={**self._shown, "content-type": "application/json", "cookie": cookies},
        )  # fmt: skip
        self._kept |= dict(answer.cookies)
        return Answer(answer.status_code, answer.headers, answer.json() if answer.content else b"")


class Tracker(Story):
    """A directory of somebody who releases the tracker, and both environments from outside."""

    def environment(self, name: str) -> Environment:
        local = LocalAws(self.folder / ".gymops", SystemClock(), os.environ)
        aws = Aws(local, load(local.state / "settings.json"))
        env = Environment(aws, name, ACCOUNTS[name], None, {}, "voice-tracker-neon")
        found = env.client("cloudformation").describe_stacks()["Stacks"]
        env.outputs["app"] = {
            one["OutputKey"]: one["OutputValue"]
            for stack in found
            if stack["StackName"] == f"{name}-gym-app"
            for one in stack["Outputs"]
        }
        return env

    def own(self) -> None:
        """The app and its pages in a folder of one's own."""
        for part in "gymops", "migrations":
            shutil.copytree(
                ROOT / part, self.folder / "src" / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        with (self.folder / "gymops.toml").open("a", encoding="utf-8") as settings:
            settings.write(f'{described()}static = "{PAGES.as_posix()}"\n')
        handler = self.folder / "src/gymops/app/handler.py"
        handler.write_text(handler.read_text(encoding="utf-8") + SECOND, encoding="utf-8")
        page = self.folder / "src" / PAGES / "index.html"
        page.write_text(page.read_text(encoding="utf-8").replace("Titan Trakr", "Second"), encoding="utf-8")

    def serves(self, name: str) -> tuple[str, bool]:
        """Which release's code answers, and whether its page is the second one."""
        env = self.environment(name)
        answer = httpx.get(
            f"{env.outputs['app']['ApiEndpoint']}/api/ready",
            headers={"x-origin-secret": sent_by_cloudfront(env)}, trust_env=False, timeout=60,
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        return answer.headers.get("x-release", "first"), b"<title>Second" in self.page(env)["Body"].read()

    def page(self, env: Environment) -> Any:
        return env.client("s3").get_object(Bucket=env.outputs["app"]["StaticBucketName"], Key="index.html")


def connected(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both URLs of staging's branch are secrets of its account, and nobody was shown them."""
    with neon_api() as project:
        for name, value in project.environ().items():
            monkeypatch.setenv(name, value)
        assert "rename the project's default branch" not in tracker.run("neon connect staging", code=1).err
        tracker.run("neon create staging")
        told = [tracker.run("neon connect staging --json") for _ in range(2)]
        assert [one["changed"] for done in told for one in done.document["secrets"]] == [
            True, True, False, False,
        ]  # fmt: skip
        assert PASSWORD not in "".join(done.out + done.err for done in told)
    secrets = tracker.environment("staging").client("secretsmanager")
    for name, pool in (("database", "-pooler"), ("database-direct", "")):
        url = secrets.get_secret_value(SecretId=f"gym-app/staging/{name}")["SecretString"]
        host = f"ep-br-1{pool}.us-east-1.aws.neon.tech"
        assert url == (
            f"postgresql://neondb_owner:{PASSWORD}@{host}/gymdb?sslmode=require&channel_binding=require"
        )


def moved(tracker: Tracker) -> None:
    """The log from before, as the document has its table, is in the branch, and proved."""
    before = [event(number) for number in range(MOVED)]
    with closing(sqlite3.connect(tracker.folder / "before.db")) as connection, connection:
        connection.execute(SQLITE_NEON)
        connection.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?, '2026-01-01')",
            ((key, kind, at, data) for key, at, kind, data, _ in before),
        )
    told = tracker.run("migrate before.db --user default --to env:NEON_PROD --yes --json").document
    assert (told["verified"], told["events"]["written"]) == (True, MOVED)
    tracker.run("verify before.db env:NEON_PROD --user default")
    tracker.run("projections rebuild --database env:NEON_PROD --user default")


def backed_up_by_a_dump(tracker: Tracker) -> None:
    """AWS has nothing of it: where it is and where to is said in gymops.toml, and then it is."""
    refused = tracker.run("backup prod", code=2)
    assert '[environments.prod] database = "env:VARIABLE"' in refused.err
    file = tracker.folder / "gymops.toml"
    text = file.read_text(encoding="utf-8").replace(
        "[environments.prod.parameters]",
        '[environments.prod]\ndatabase = "env:NEON_PROD"\n[environments.prod.backup]\nmethod = "dump"\n'
        'store = "backups"\n[environments.prod.backup.tiers.daily]\nschedule = "03:00"\nkeep = "30 days"\n'
        "[environments.prod.parameters]",
    )
    file.write_text(text, encoding="utf-8")
    taken = tracker.run("backup prod --json").document
    assert (taken["recovery_point"]["kind"], taken["seal"]["events"]) == ("dump", MOVED + 4)
    found = tracker.run("audit prod --json", code=3).document
    assert [(one["kind"], one["tier"]) for one in found["findings"]] == [("never-tested", "daily")]
    proved = tracker.run("restore-test prod --tier daily --json").document
    assert (proved["result"], proved["events"]) == (
        "passed", {"expected": MOVED + 4, "restored": MOVED + 4},
    )  # fmt: skip
    assert tracker.run("audit prod --json").document["findings"] == []


@pytest.fixture
def tracker(emulator_installed: None) -> Iterator[Tracker]:
    with tempfile.TemporaryDirectory(prefix="gymops-neon-") as folder:
        found = Tracker(Path(folder))
        yield found
        found.any("local down")


@pytest.mark.long
@pytest.mark.shows("voice-tracker-neon", "deploy", "promote", "rollback")
@pytest.mark.shows("voice-tracker-neon", "backup", "restore-test", "audit", "data")
def test_it_is_started_released_promoted_and_taken_back_with_its_pages(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.run("init --architecture voice-tracker-neon")
    tracker.run("lint")
    tracker.run("local up --port 0")
    connected(tracker, monkeypatch)
    direct = {name: instead_of_neon(tracker.environment(name)) for name in ACCOUNTS}

    tracker.run("deploy staging --yes")
    assert tracker.serves("staging") == ("first", False)
    page = tracker.page(tracker.environment("staging"))
    assert (page["CacheControl"], page["ContentType"]) == ("no-cache", "text/html; charset=utf-8")
    first = tracker.last("staging")
    assert first["static"]["files"] == first["static"]["uploaded"] > 5
    assert [one["path"] for one in first["smoke"] if one["good"]] == ["/api/health", "/api/ready"]
    assert (first["schema_before"], first["schema_after"] is None) == (None, False)
    tracker.run("promote staging prod --yes")
    assert tracker.serves("prod") == ("first", False)

    tracker.own()
    tracker.run("deploy staging --yes")
    second = tracker.last("staging")
    assert (second["static"]["uploaded"], second["static"]["invalidated"]) == (1, 2)  # the page, and "/"
    assert (tracker.serves("staging"), tracker.serves("prod")) == (("second", True), ("first", False))
    tracker.run("promote staging prod --yes")
    assert tracker.serves("prod") == ("second", True)
    tracker.run("rollback prod --yes")
    assert (tracker.serves("staging"), tracker.serves("prod")) == (("second", True), ("first", False))

    monkeypatch.setenv("NEON_PROD", direct["prod"])
    moved(tracker)
    env = tracker.environment("prod")
    caller = FromCloudFront(env)
    sign_in(env, caller)
    log_a_set(caller)
    backed_up_by_a_dump(tracker)
    listed = json.loads(tracker.run("secrets list prod --json").out)
    ways = {one["name"]: one["way"] for one in listed["secrets"]}
    assert ways == {"PasscodeSecret": "cut", "SessionSecret": "overlap", "OriginSecret": "stack"}
    assert "stays as long" in tracker.run("secrets rotate prod OriginSecret --yes", code=2).err
