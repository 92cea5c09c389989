"""A service: productivity-fargate as ``gymops init`` writes it, released, promoted, taken back."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_any_app import PROD, STAGING
from tests.acceptance.test_image_app import ImageShop, running

APP = """import http.server, json, os, sys

SAYS = {"says": "first"}

if sys.argv[1:] == ["migrate"]:
    sys.path += PATHS
    import boto3, psycopg

    secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["DATABASE_SECRET_ARN"])
    boss, where = json.loads(secret["SecretString"]), os.environ["DATABASE_URL"].replace("require", "prefer")
    with psycopg.connect(where, user=boss["username"], password=boss["password"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS upgrades (says text PRIMARY KEY)")
        connection.execute("INSERT INTO upgrades VALUES (%s) ON CONFLICT DO NOTHING", [SAYS["says"]])
        found = connection.execute("SELECT string_agg(says, ' ' ORDER BY says) FROM upgrades").fetchone()
    print("upgraded:", *found, flush=True)
    raise SystemExit(SAYS["says"] == "fourth")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({**SAYS, "environment": os.environ["APP_ENVIRONMENT"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

if SAYS["says"] == "nothing":
    raise SystemExit("the disk is full")
print(json.dumps({"message": "listening"}), flush=True)
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""


class ServiceShop(ImageShop):
    """What ``gymops init`` writes, and an app of Python in the place of one of Next.js."""

    region = "us-east-1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # What it needs of Python's packages is this machine's: a lock would bring them from the index.
        app = APP.replace("PATHS", repr([path for path in sys.path if path.endswith("site-packages")]))
        (folder / "shop.py").write_text(app, encoding="utf-8")
        (folder / "requirements.lock").write_text("", encoding="utf-8")

    def configure(self) -> None:
        self.run("init --architecture productivity-fargate")
        file = self.folder / "gymops.toml"
        text = file.read_text(encoding="utf-8").replace(
            '#RotationRuntime = "python3.12"', f'RotationRuntime = "python3.{sys.version_info.minor}"'
        )
        here = "[environments.staging.parameters]\n"
        text = text.replace(here, f'{here}SchemaCommand = "migrate"\n')
        app = f"""
[app]
name = "productivity"
package = "shop"
handler = "shop.handler"
kind = "image"
base = "{self.based()}"
command = ["python", "-m", "shop"]
"""
        file.write_text(text + app, encoding="utf-8")

    def ask(self, environment: str, account: str) -> tuple[int, Any]:
        """As CloudFront asks."""
        found = self.client("elbv2", account).describe_load_balancers()["LoadBalancers"]
        name = f"{environment}-productivity"
        address = next(one["DNSName"] for one in found if one["LoadBalancerName"] == name)
        secret = self.client("secretsmanager", account).get_secret_value(SecretId=f"{name}/origin")
        request = urllib.request.Request(
            f"http://{address}/", headers={"X-Origin-Verify": secret["SecretString"]}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, {}

    def tasks(self, environment: str, account: str) -> int:
        name = f"{environment}-productivity"
        told = self.client("ecs", account).describe_services(cluster=name, services=[name])
        return int(told["services"][0]["runningCount"])

    @contextmanager
    def used(self, environment: str, account: str) -> Iterator[list[tuple[int, Any]]]:
        """Somebody asks all the while; what was answered."""
        answers: list[tuple[int, Any]] = []
        over = threading.Event()

        def use() -> None:
            while not over.is_set():
                answers.append(self.ask(environment, account))
                over.wait(0.05)

        thread = threading.Thread(target=use)
        thread.start()
        try:
            yield answers
        finally:
            over.set()
            thread.join()


@pytest.mark.long
@pytest.mark.shows("productivity-fargate", "deploy", "promote", "rollback", "backup", "audit")
def test_a_service_is_released_promoted_and_taken_back(
    emulator_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="gymops-service-") as folder:
        monkeypatch.setenv("DOCKER_CONFIG", f"{folder}/docker")
        shop = ServiceShop(Path(folder))
        try:
            shop.run("local up --port 0")
            shop.configure()
            story(shop)
        finally:
            shop.run("local down")


def story(shop: ServiceShop) -> None:
    _, said = shop.run("deploy staging --yes")
    assert "migrate: done by a task of version 1" in said
    assert shop.ask("staging", STAGING) == (200, {"says": "first", "environment": "staging"})
    first = running(shop, "staging")
    assert [(one["path"], one["good"]) for one in first["smoke"]] == [("/api/health", True)]
    shop.run("promote staging prod --yes")
    assert shop.ask("prod", PROD) == (200, {"says": "first", "environment": "prod"})
    assert shop.tasks("prod", PROD) == 2

    with shop.used("staging", STAGING) as answers:
        shop.says("second")
        shop.run("deploy staging --yes")
        assert shop.ask("staging", STAGING)[1]["says"] == "second"
        shop.says("nothing")
        _, said = shop.run("deploy staging --yes", 5)
        assert "does not get healthy: Essential container exited" in said
        assert shop.ask("staging", STAGING)[1]["says"] == "second"
        shop.says("fourth")
        assert shop.cut("deploy staging --yes", "schema") == -signal.SIGKILL
        _, said = shop.run("deploy staging --yes", 1)
        assert "migrate ended with 1: upgraded: first fourth nothing second" in said
        assert shop.ask("staging", STAGING)[1]["says"] == "second"
        shop.run("rollback staging --yes")
    assert {status for status, _ in answers} == {200}
    assert shop.ask("staging", STAGING)[1]["says"] == "first"
    done = shop.releases("staging")["releases"]
    assert [(one["verb"], one["outcome"]) for one in done] == [
        ("deploy", "succeeded"), ("deploy", "succeeded"), ("deploy", "rolled_back"),
        ("deploy", "failed"), ("rollback", "succeeded"),
    ]  # fmt: skip
    assert done[-1]["version"] == first["version"]
    status = json.loads(shop.run("status staging --json")[0])
    assert status["serving"]["version"] == first["version"]
    assert not status["serving"]["differs"]
    assert "listening" in shop.run("logs staging")[0]
    shop.run("drift staging")
    backed_up_and_never_said_to_be_proved(shop)


def backed_up_and_never_said_to_be_proved(shop: ServiceShop) -> None:
    """AWS Backup takes it, and it comes back; but nothing of ours is in the network to look into it."""
    shop.run("backup prod --tier daily")
    (point,) = json.loads(shop.run("backups prod --json")[0])["points"]
    assert (point["kind"], point["tier"], point["seal"]) == ("aws-backup", "daily", None)
    tested = json.loads(shop.run("restore-test prod --tier daily --json", 1)[0])
    assert (tested["result"], tested["recovery_point"]) == ("could not verify", point["id"])
    assert set(tested["phases"]) > {"restore"}
    assert "nothing looks into the database" in tested["message"]
    assert 'method = "dump"' in tested["hint"]
    there = shop.client("rds", PROD).describe_db_instances()["DBInstances"]
    assert len(there) == 1  # what was restored is gone
    found = json.loads(shop.run("audit prod --json", 3)[0])["findings"]
    assert {(one["kind"], one["tier"]) for one in found} == {
        ("never-tested", "continuous"), ("test-could-not-verify", "daily"),
    }  # fmt: skip
