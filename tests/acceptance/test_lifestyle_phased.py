"""lifestyle-phased as its page has it: started, released, used, promoted, taken back, on two accounts."""

from __future__ import annotations

import json
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from gymops.cli.context import local_number
from tests.acceptance.test_image_app import ImageShop
from tests.local_aws import until

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architectures" / "lifestyle-phased.md"
_FILE = re.compile(r"^`(\S+)`[^\n]*\n\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
NEEDED = (
    "awslambdaric", "boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "simplejson", "six",
    "snapshot-restore-py", "urllib3",
)  # fmt: skip
"""What `pip-compile` makes of the page's requirements.in, with the pins of the tracker's own lock."""
PASSWORD = "Twelve-letters-1"
REGION = "us-east-1"


class Lifestyle(ImageShop):
    """What ``gymops init`` writes, and the page's sample app."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = dict(_FILE.findall(PAGE.read_text(encoding="utf-8")))
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        locked = (ROOT / "requirements-image.lock").read_text(encoding="utf-8")
        pins = re.findall(r"^\S+==.*?(?=^\S|\Z)", locked, re.DOTALL | re.MULTILINE)
        chosen = "".join(one for one in pins if one.partition("==")[0] in NEEDED)
        (folder / "requirements.lock").write_text(chosen, encoding="utf-8")

    def configure(self) -> None:
        with (self.folder / "gymops.toml").open("a", encoding="utf-8") as file:
            section = self.files["gymops-app.toml"]
            file.write("\n" + re.sub(r'base = ".*"', f'base = "{self.based()}"', section))

    def of(self, service: str, environment: str) -> Any:
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION,
            aws_access_key_id=local_number(environment), aws_secret_access_key="local",
        )  # fmt: skip

    def outputs(self, environment: str, stack: str = "") -> dict[str, str]:
        name = f"{environment}-lifestyle-app-{environment}{stack}"
        found = self.of("cloudformation", environment).describe_stacks(StackName=name)["Stacks"][0]
        return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}

    def ask(
        self, environment: str, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, Any]:
        """What the API answers: status, body, headers."""
        request = urllib.request.Request(  # noqa: S310 - of the local AWS
            self.outputs(environment)["ApiEndpoint"] + path, json.dumps(body).encode() if body else None,
            {"content-type": "application/json", **headers}, method=method,
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
                return answer.status, json.loads(answer.read() or b"null"), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null"), error.headers

    def confirm(self, environment: str, email: str) -> None:
        """As its owner would, with the code of a mail."""
        pool = self.outputs(environment, "-data")["UserPoolId"]
        self.of("cognito-idp", environment).admin_confirm_sign_up(UserPoolId=pool, Username=email)

    def sign_in(self, environment: str, email: str) -> str:
        """An id token."""
        told = self.outputs(environment, "-data")
        found = self.of("cognito-idp", environment).initiate_auth(
            ClientId=told["UserPoolClientId"], AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
        )  # fmt: skip
        return str(found["AuthenticationResult"]["IdToken"])

    def logged(self, environment: str) -> list[dict[str, Any]]:
        """The lines of JSON in the function's log."""
        group = f"/aws/lambda/api-handler-{environment}"
        events = self.of("logs", environment).filter_log_events(logGroupName=group)["events"]
        return [json.loads(one["message"]) for one in events if one["message"].startswith("{")]

    def health(self, environment: str) -> Any:
        status, body, _ = self.ask(environment, "GET", "/health")
        assert status == 200, body
        return body

    def change(self, before: str, after: str) -> None:
        file = self.folder / "src" / "health" / "__init__.py"
        file.write_text(file.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")

    def kept(self, environment: str) -> dict[str, list[str]]:
        """Digest -> tags of the environment's own repository."""
        ecr = self.of("ecr", environment)
        found = ecr.describe_images(repositoryName=f"lifestyle-app-{environment}")["imageDetails"]
        return {one["imageDigest"]: sorted(one["imageTags"]) for one in found}


@pytest.fixture
def app(emulator_installed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lifestyle]:
    with tempfile.TemporaryDirectory(prefix="gymops-life-") as folder:
        monkeypatch.setenv("DOCKER_CONFIG", f"{folder}/docker")
        found = Lifestyle(Path(folder))
        try:
            found.run("init --architecture lifestyle-phased")
            found.run("local up --port 0")
            found.configure()
            yield found
        finally:
            found.run("local down")


@pytest.mark.long
@pytest.mark.shows("lifestyle-phased", "deploy", "promote", "rollback")
def test_it_is_started_released_used_promoted_taken_back_and_ended(app: Lifestyle) -> None:
    app.run("init --ci github")
    workflow = (app.folder / ".github/workflows/gymops.yml").read_text(encoding="utf-8")
    assert 'gymops promote "dev" "prod"' in workflow
    app.run("lint")
    app.run("deploy prod --yes", 4)  # it gets what was tested in dev

    _, said = app.run("deploy dev --yes")
    phases = [
        said.index(one) for one in ("lifestyle-app-dev-base", ": artefact", ": stack-data", ": stack\n")
    ]
    assert phases == sorted(phases)
    assert app.health("dev") == {"status": "ok", "environment": "dev", "says": "first"}
    register_and_sign_in(app)

    first = app.releases("dev")["releases"][-1]["artefact"]["digest"]
    app.run("promote dev prod --yes")
    assert app.kept("prod") == {first: sorted([f"keep-sha256-{first[7:19]}", "prod"])}
    assert app.health("prod")["environment"] == "prod"
    nothing_is_shared(app)

    app.change('"first"', '"second"')
    app.run("deploy dev --yes")
    assert (app.health("dev")["says"], app.health("prod")["says"]) == ("second", "first")
    app.run("rollback dev --yes")
    assert app.health("dev")["says"] == "first"
    assert app.kept("dev")[first] == ["dev", f"keep-sha256-{first[7:19]}"]
    app.change('200, {"status"', '500, {"status"')
    _, said = app.run("deploy dev --yes", 5)
    assert "/health answered 500" in said
    assert app.health("dev")["says"] == "first"

    app.run("destroy prod --name prod --yes", 4)  # it is protected
    done, _ = app.run("destroy dev --name dev --yes")
    assert re.findall(r"^kept +(\w+)", done, re.MULTILINE) == ["DataKey", "UserPool", "Users"]
    assert app.of("dynamodb", "dev").scan(TableName="users-dev")["Count"] == 1
    assert [one["verb"] for one in app.releases("dev")["releases"]][-1] == "destroy"
    assert app.health("prod")["says"] == "first"


def register_and_sign_in(app: Lifestyle) -> None:
    """Through the API, Cognito and the table; what happened stands in the log, and nobody's address."""
    new = {"email": "a@example.com", "password": PASSWORD}
    status, made, headers = app.ask("dev", "POST", "/auth/register", new, **{"x-correlation-id": "one"})
    assert (status, headers["x-correlation-id"]) == (201, "one")
    assert app.ask("dev", "POST", "/auth/register", new)[0] == 409
    short = {"email": "b@example.com", "password": "a"}
    assert app.ask("dev", "POST", "/auth/register", short)[0] == 400
    assert app.ask("dev", "GET", "/users/me")[0] == 401
    app.confirm("dev", "a@example.com")
    token = app.sign_in("dev", "a@example.com")
    status, found, _ = app.ask("dev", "GET", "/users/me", Authorization=f"Bearer {token}")
    assert (status, found) == (200, {"user_id": made["user_id"], "email": "a@example.com"})
    assert app.ask("dev", "GET", "/elsewhere")[0] == 404
    lines = until(lambda: [one for one in app.logged("dev") if one.get("correlation_id") == "one"][1:])
    assert lines[-1]["status"] == 201
    everything = app.logged("dev")
    assert "example.com" not in json.dumps(everything)
    assert [one["UsersRegistered"] for one in everything if "_aws" in one] == [1]
    assert {one["level"] for one in everything if "level" in one} >= {"DEBUG", "INFO"}


def nothing_is_shared(app: Lifestyle) -> None:
    """Whoever is somebody in dev is nobody in prod; prod says less, and to its own pages only."""
    token = app.sign_in("dev", "a@example.com")
    assert app.ask("prod", "GET", "/users/me", Authorization=f"Bearer {token}")[0] == 401
    assert app.of("dynamodb", "prod").scan(TableName="users-prod")["Count"] == 0
    assert app.of("dynamodb", "dev").scan(TableName="users-dev")["Count"] == 1
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
    assert app.ask("dev", "OPTIONS", "/health", **asked)[2]["Access-Control-Allow-Origin"] == "*"
    assert app.ask("prod", "OPTIONS", "/health", **asked)[2]["Access-Control-Allow-Origin"] is None
    ours = {**asked, "Origin": "https://ailifestyle.app"}
    assert app.ask("prod", "OPTIONS", "/health", **ours)[2]["Access-Control-Allow-Origin"] == ours["Origin"]
    lines = until(lambda: [one for one in app.logged("prod") if "level" in one])
    assert {one["level"] for one in lines} == {"INFO"}
