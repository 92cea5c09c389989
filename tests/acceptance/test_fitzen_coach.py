"""fitzen-coach as ``gymops init`` writes it: used through its API, kept, released, promoted, taken back."""

from __future__ import annotations

import json
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_any_app import PROD, STAGING
from tests.acceptance.test_image_app import running
from tests.acceptance.test_service_app import ServiceShop
from tests.integration.stacks.updates.fitzen_coach import APP


class Coach(ServiceShop):
    """What ``gymops init`` writes, and a coach of Python's own library in the place of one of Flask."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "shop.py").write_text(APP, encoding="utf-8")

    def configure(self) -> None:
        self.run("init --architecture fitzen-coach")
        file = self.folder / "gymops.toml"
        text = file.read_text(encoding="utf-8").replace(
            '#JobsRuntime = "python3.13"', f'JobsRuntime = "python3.{sys.version_info.minor}"'
        )
        app = f"""
[app]
name = "fitzen"
package = "shop"
handler = "shop.handler"
kind = "image"
base = "{self.based()}"
command = ["python", "-m", "shop"]
"""
        file.write_text(text + app, encoding="utf-8")

    def ask(
        self, environment: str, account: str, path: str = "/health", body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """As CloudFront asks, unless the headers say otherwise."""
        name = f"{environment}-fitzen"
        apis = self.client("apigateway", account).get_rest_apis()["items"]
        api = next(one["id"] for one in apis if one["name"] == name)
        secret = self.client("secretsmanager", account).get_secret_value(SecretId=f"{name}/origin")
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.url}/_aws/execute-api/{api}/live{path}",
            None if body is None else json.dumps(body).encode(),
            {"X-Api-Key": secret["SecretString"], "Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, {}

    def tasks(self, environment: str, account: str) -> int:
        name = f"{environment}-fitzen"
        told = self.client("ecs", account).describe_services(cluster=name, services=[name])
        return int(told["services"][0]["runningCount"])


@contextmanager
def coached(monkeypatch: pytest.MonkeyPatch) -> Iterator[Coach]:
    with tempfile.TemporaryDirectory(prefix="gymops-coach-") as folder:
        monkeypatch.setenv("DOCKER_CONFIG", f"{folder}/docker")
        shop = Coach(Path(folder))
        try:
            shop.run("local up --port 0")
            shop.configure()
            yield shop
        finally:
            shop.run("local down")


@pytest.mark.long
@pytest.mark.shows("fitzen-coach", "deploy", "promote", "rollback", "backup", "restore-test", "audit")
def test_a_coach_is_used_released_promoted_and_taken_back(
    emulator_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with coached(monkeypatch) as shop:
        shop.run("deploy staging --yes")
        first = running(shop, "staging")
        assert [(one["path"], one["good"]) for one in first["smoke"]] == [("/health", True)]
        answers(shop)
        remembers(shop)
        is_kept(shop)
        shop.run("promote staging prod --yes")
        told = shop.ask("prod", PROD)[1]
        assert (told["says"], told["APP_ENVIRONMENT"]) == ("first", "prod")
        assert shop.tasks("prod", PROD) == 2
        taken_back(shop, first["version"])
        assert said(shop, "ada") == (200, {"said": ["How do I sleep?", "And eat?"]})  # releases leave tables
        assert said(shop, "ada", account=PROD, environment="prod") == (200, {"said": []})


def answers(shop: Coach) -> None:
    """Every endpoint of the document goes to the app's path of its name; what is not whole goes nowhere."""
    status, told = shop.ask("staging", STAGING)
    assert (status, told["DATA_STORE"], told["CHAT_DAYS"], told["DB_HOST"]) == (200, "dynamodb", "90", None)
    ada = {"Authorization": "Bearer ada"}
    for one in ("users", "workouts", "nutrition/meals", "goals", "habits", "measurements", "reminders"):
        path = f"/api/{one}/ada"
        assert shop.ask("staging", STAGING, path, **ada) == (200, {"says": "first", "path": path})
    assert shop.ask("staging", STAGING, "/api/users/ada")[0] == 400  # for nobody in particular
    assert shop.ask("staging", STAGING, "/api/recipes", **ada)[0] == 403  # no such endpoint
    assert shop.ask("staging", STAGING, **{"X-Api-Key": "somebody else's, and as long as ours"})[0] == 403
    assert shop.ask("staging", STAGING, "/api/chat/message", {}, **ada)[0] == 400


def remembers(shop: Coach) -> None:
    """What is said in a chat is in the table, for ninety days, and for who said it."""
    for message in ("How do I sleep?", "And eat?"):
        body = {"user_id": "ada", "message": message}
        status, _ = shop.ask("staging", STAGING, "/api/chat/message", body, Authorization="Bearer ada")
        assert status == 201
    assert said(shop, "ada") == (200, {"said": ["How do I sleep?", "And eat?"]})
    assert said(shop, "ada", asks="eve")[0] == 403
    table = "staging-fitzen-chat-history"
    items = shop.client("dynamodb", STAGING).scan(TableName=table)["Items"]
    kept = [float(one["expires_at"]["N"]) - float(one["timestamp"]["N"]) for one in items]
    assert [round(seconds / 86_400) for seconds in kept] == [90, 90]
    expiry = shop.client("dynamodb", STAGING).describe_time_to_live(TableName=table)
    assert expiry["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"


def is_kept(shop: Coach) -> None:
    """Tables and pictures are backed up, restored aside and proved; an audit finds nothing after that."""
    picture = {"Bucket": f"staging-fitzen-progress-photos-{STAGING}", "Key": "ada/1_front.jpg"}
    shop.client("s3", STAGING).put_object(**picture, Body=b"ada, from the front")
    point = json.loads(shop.run("backup staging --json")[0])["recovery_point"]
    parts = {one["name"]: one["items"] for one in point["parts"]}
    assert len(parts) == 11  # eight tables, three buckets
    assert (parts["staging-fitzen-chat-history"], parts[picture["Bucket"]]) == (2, 1)
    tested = json.loads(shop.run("restore-test staging --json")[0])
    assert (tested["result"], tested["items"]) == ("passed", {"expected": 3, "restored": 3})
    assert (tested["target"]["rto_seconds"], tested["target"]["met"]) == (1800, True)
    spoilt = json.loads(shop.run("restore-test staging --drill --json")[0])
    assert spoilt["result"] == "failed"
    found = json.loads(shop.run("audit staging --json", 3)[0])["findings"]
    assert [(one["kind"], one["tier"]) for one in found] == [("never-tested", "continuous")]
    tested = json.loads(shop.run("restore-test staging --tier continuous --json")[0])
    assert (tested["result"], tested["items"]) == ("passed", {"expected": 2, "restored": 2})
    assert tested["target"] == {"tier": "continuous", "rpo_seconds": 3600, "rto_seconds": 1800, "met": True}
    assert json.loads(shop.run("audit staging --json")[0])["findings"] == []


def taken_back(shop: Coach, first: str) -> None:
    """While somebody asks without a pause: a release, one that never gets healthy, and the way back."""
    with shop.used("staging", STAGING) as answered:
        shop.says("second")
        shop.run("deploy staging --yes")
        assert shop.ask("staging", STAGING)[1]["says"] == "second"
        shop.says("nothing")
        _, told = shop.run("deploy staging --yes", 5)
        assert "does not get healthy: Essential container exited" in told
        shop.run("rollback staging --yes")
    assert {status for status, _ in answered} == {200}
    assert shop.ask("staging", STAGING)[1]["says"] == "first"
    assert running(shop, "staging")["version"] == first
    shop.run("drift staging")


def said(
    shop: Coach, whom: str, asks: str = "", account: str = STAGING, environment: str = "staging"
) -> tuple[int, Any]:
    who = f"Bearer {asks or whom}"
    return shop.ask(environment, account, f"/api/chat/history/{whom}", Authorization=who)
