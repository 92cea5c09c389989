"""The payload beside a real instance of RDS on the local AWS: by IAM through a proxy, and one-shot work."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gymops.app import operations
from gymops.app.container import build
from gymops.app.database import provider
from gymops.app.secret import connection_string
from gymops.app.store import StoreUnavailable
from gymops.app.store.postgres import PostgresStore
from gymops.aws import tokens
from gymops.cli.payload import payload
from gymops.clock import SystemClock
from gymops.deploy.build import Places, build_zip
from gymops.pg import schema
from gymops.pg.conninfo import parse
from tests.contract.stores import Trainee
from tests.integration.local.functions import ROLE, RUNTIME, invoke
from tests.local_aws import ACCOUNT, Aws, unique, until
from tests.unit.app.handler import conftest as unit

pytestmark = pytest.mark.long

logged = unit.logged

ALL = [revision.id for revision in schema.history()]


class Secrets:
    """Secrets Manager of the local AWS."""

    def __init__(self, aws: Aws) -> None:
        self._manager = aws.client("secretsmanager")

    def read(self, arn: str, /) -> str:
        return str(self._manager.get_secret_value(SecretId=arn)["SecretString"])

    def read_stage(self, arn: str, stage: str, /) -> str | None:
        return None


class Tokens:
    """What the app signs, kept to see that nobody else sees it."""

    def __init__(self) -> None:
        self.signed: list[str] = []

    def sign(self, host: str, port: int, user: str, /) -> str:
        self.signed.append(tokens.sign(host, port, user))
        return self.signed[-1]


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A function's credentials."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    tokens._rds.cache_clear()
    yield
    tokens._rds.cache_clear()


@pytest.fixture
def instance(aws: Aws) -> dict[str, Any]:
    """As the templates have it: IAM beside a password that RDS keeps."""
    name = unique("db")
    aws.client("rds").create_db_instance(
        DBInstanceIdentifier=name, Engine="postgres", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
        MasterUsername="gymops_owner", ManageMasterUserPassword=True, DBName="gym",
        EnableIAMDatabaseAuthentication=True, BackupRetentionPeriod=0,
    )  # fmt: skip
    until(lambda: aws.instance(name)["DBInstanceStatus"] == "available")
    found: dict[str, Any] = aws.instance(name)
    return found


@pytest.fixture
def owner(instance: dict[str, Any]) -> dict[str, str]:
    """What operations.yaml tells DatabaseFunction."""
    return {
        "GYMOPS_APP_ENVIRONMENT": "prod",
        "GYMOPS_APP_DATABASE_SECRET_ARN": instance["MasterUserSecret"]["SecretArn"],
        "GYMOPS_APP_DATABASE_HOST": instance["Endpoint"]["Address"],
        "GYMOPS_APP_DATABASE_PORT": str(instance["Endpoint"]["Port"]),
        "GYMOPS_APP_DATABASE_NAME": "gym",
    }


@pytest.fixture
def iam(aws: Aws, instance: dict[str, Any]) -> Iterator[dict[str, str]]:
    """What function.yaml tells the app where there is a proxy."""
    rds, ec2, name = aws.client("rds"), aws.client("ec2"), unique("proxy")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"]
        for number in (10, 11)
    ]
    made = rds.create_db_proxy(
        DBProxyName=name, EngineFamily="POSTGRESQL", RoleArn=ROLE, VpcSubnetIds=subnets,
        DefaultAuthScheme="IAM_AUTH", RequireTLS=True,
    )["DBProxy"]  # fmt: skip
    rds.register_db_proxy_targets(DBProxyName=name, DBInstanceIdentifiers=[instance["DBInstanceIdentifier"]])
    yield {
        "GYMOPS_APP_DATABASE_AUTH": "iam",
        "GYMOPS_APP_DATABASE_USER": "gymops_app",
        "GYMOPS_APP_DATABASE_HOST": made["Endpoint"],
        "GYMOPS_APP_DATABASE_PORT": str(instance["Endpoint"]["Port"]),
        "GYMOPS_APP_DATABASE_NAME": "gym",
        "GYMOPS_APP_PASSCODE": "correct horse",
        "GYMOPS_APP_SESSION_SECRET": "0123456789abcdef0123456789abcdef",
    }
    rds.delete_db_proxy(DBProxyName=name)


def test_the_app_appends_by_iam_through_the_proxy_once_its_role_is_let_in(
    aws: Aws, owner: dict[str, str], iam: dict[str, str], logged: io.StringIO
) -> None:
    secrets, signing = Secrets(aws), Tokens()

    def ask(do: str) -> dict[str, Any]:
        return operations.answer({"do": do}, owner, clock=SystemClock(), secrets=secrets)

    store = build(iam, secrets=secrets, tokens=signing).store
    with pytest.raises(StoreUnavailable):
        store.readiness()
    schema.upgrade(_url(secrets, owner), clock=SystemClock())
    with pytest.raises(StoreUnavailable):  # the role is there, and may not log in
        store.readiness()
    assert [ask("schema-upgrade")["admitted"] for _ in range(2)] == [True, False]

    trainee = Trainee(store, "auth0|000001")
    trainee.start()
    trainee.log(weight=62.5)
    assert store.readiness().ready
    store.close()
    assert (ask("digest")["events"], ask("digest")["users"]) == (2, 1)
    assert len(signing.signed) > 1
    for token in signing.signed:
        assert token.rpartition("=")[2] not in logged.getvalue()

    again = provider(iam, secrets=secrets, tokens=signing)
    assert parse(again())["host"] == iam["GYMOPS_APP_DATABASE_HOST"] != owner["GYMOPS_APP_DATABASE_HOST"]
    for statement in ("UPDATE events SET event_type = 'x'", "DELETE FROM events", "TRUNCATE events"):
        with psycopg.connect(again()) as connection:
            row = connection.execute("SELECT current_user").fetchone()
            assert row == ("gymops_app",)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    assert ask("digest")["events"] == 2


def test_a_role_that_logs_in_already_is_left_as_it_is(
    aws: Aws, owner: dict[str, str], logged: io.StringIO
) -> None:
    secrets = Secrets(aws)
    with psycopg.connect(_url(secrets, owner), autocommit=True) as connection:
        connection.execute("CREATE ROLE gymops_app LOGIN PASSWORD 'an-administrator-s'")
        answer = operations.answer({"do": "schema-upgrade"}, owner, clock=SystemClock(), secrets=secrets)
        assert (answer["admitted"], answer["applied"]) == (False, ALL)
        row = connection.execute("SELECT pg_has_role('gymops_app', 'rds_iam', 'MEMBER')").fetchone()
        assert row == (False,)


def test_an_owner_who_may_not_change_roles_is_told_what_the_master_runs(
    aws: Aws, owner: dict[str, str], logged: io.StringIO
) -> None:
    secrets = Secrets(aws)
    with psycopg.connect(_url(secrets, owner), autocommit=True) as connection:
        connection.execute("CREATE ROLE gymops_app NOLOGIN")
        connection.execute("CREATE ROLE humble LOGIN PASSWORD 'humble-password'")
        connection.execute("GRANT CREATE ON SCHEMA public TO humble")
    url = _url(secrets, owner, user="humble", password="humble-password")
    error = operations.answer(
        {"do": "schema-upgrade"}, {"GYMOPS_APP_DATABASE": url}, clock=SystemClock(), secrets=secrets
    )["error"]
    assert error["code"] == "schema"
    assert "ALTER ROLE gymops_app LOGIN" in error["hint"]
    assert "humble-password" not in json.dumps(error) + logged.getvalue()


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The payload's own, for this machine."""
    folder = tmp_path_factory.mktemp("artefact")
    return build_zip(payload(), None, Places(folder / "out", folder / "cache", {}, lambda _: None)).folder


def test_the_built_artefact_upgrades_twice_and_tells_the_digest_of_verify(
    aws: Aws, owner: dict[str, str], artefact: Path
) -> None:
    lambdas, name = aws.client("lambda"), unique("database")
    layer = lambdas.publish_layer_version(
        LayerName=unique("layer"), Content={"ZipFile": (artefact / "layer.zip").read_bytes()}
    )
    lambdas.create_function(
        FunctionName=name, Runtime=RUNTIME, Role=ROLE, Timeout=120, Handler="gymops.app.operations.handler",
        Code={"ZipFile": (artefact / "app.zip").read_bytes()}, Layers=[layer["LayerVersionArn"]],
        Environment={"Variables": owner},
    )  # fmt: skip
    first = invoke(aws, name, {"do": "schema-upgrade", "phase": "expand"})
    assert (first.get("applied"), first.get("admitted")) == (ALL, True), first
    second = invoke(aws, name, {"do": "schema-upgrade"})
    assert (second["applied"], second["current"], second["admitted"]) == ([], ALL[-1], False)
    assert invoke(aws, name, {"do": "readiness"})["ready"] is True
    assert invoke(aws, name, {"do": "audit"})["error"]["code"] == "configuration"

    url = _url(Secrets(aws), owner)
    store = PostgresStore(lambda **_: url, clock=SystemClock())
    trainee = Trainee(store, "auth0|000001")
    trainee.start()
    trainee.log(weight=62.5)
    store.close()
    found = invoke(aws, name, {"do": "digest"})
    verified = subprocess.run(
        [sys.executable, "-m", "gymops", "verify", "env:ONE", "env:ONE", "--json"],
        env={**os.environ, "ONE": url}, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    told = json.loads(verified.stdout)["a"]
    assert (found["digest"], found["events"]) == (told["digest"], told["events"])
    assert told["events"] == 2


def _url(secrets: Secrets, owner: dict[str, str], **instead: str) -> str:
    return connection_string(
        secrets.read(owner["GYMOPS_APP_DATABASE_SECRET_ARN"]), host=owner["GYMOPS_APP_DATABASE_HOST"],
        port=owner["GYMOPS_APP_DATABASE_PORT"], dbname="gym", **instead,
    )  # fmt: skip
