"""The app of an environment in use, and its database looked at from outside."""

from __future__ import annotations

import json
import uuid
from contextlib import closing
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from gymops.eventlog.digest import LogDigest
from gymops.eventlog.postgres import PostgresLog
from tests.integration.stacks.environment import Environment
from tests.integration.stacks.signed import Signed


def caller(env: Environment) -> Signed:
    """Somebody of the account, at the function URL."""
    return Signed(env.outputs["app"]["FunctionUrl"], env.account, "us-west-1")


def database(env: Environment, work: str) -> dict[str, Any]:
    """Let the one-shot function do it, from where the database can be reached."""
    answer = env.client("lambda").invoke(
        FunctionName=f"{env.name}-gym-app-database", Payload=json.dumps({"do": work})
    )
    found: dict[str, Any] = json.load(answer["Payload"])
    assert "FunctionError" not in answer and "error" not in found, found  # noqa: PT018 - one answer
    return found


def sign_in(env: Environment, caller: Signed) -> None:
    secrets = env.client("secretsmanager")
    secret = secrets.get_secret_value(SecretId=env.outputs["app"]["PasscodeSecretArn"])
    answer = caller.post("/api/session", {"passcode": secret["SecretString"]})
    assert answer.status == 204, answer.body


def log_a_set(caller: Signed) -> str:
    """A whole workout with one exercise and one set, four events; the set's event id."""
    workout, logged = str(uuid.uuid4()), {}
    for kind, payload in (
        ("WorkoutStarted", {"workout_id": workout}),
        ("ExerciseAdded", {"workout_id": workout, "exercise_id": "bench-press"}),
        ("SetLogged", {"workout_id": workout, "exercise_id": "bench-press", "weight": 62.5, "reps": 5}),
        ("WorkoutCompleted", {"workout_id": workout}),
    ):
        answer = caller.post("/api/events", {"event_type": kind, "payload": payload})
        assert answer.status == 201, answer.body
        logged[kind] = str(answer.body["event_id"])
    return logged["SetLogged"]


def owner(env: Environment, identifier: str) -> str:
    """The connection string of the instance's master, with the password that RDS keeps."""
    found = env.client("rds").describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    arn = found["MasterUserSecret"]["SecretArn"]
    secret = json.loads(env.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    return make_conninfo(
        host=found["Endpoint"]["Address"], port=found["Endpoint"]["Port"], dbname=found["DBName"],
        user=secret["username"], password=secret["password"],
    )  # fmt: skip


def stored(env: Environment, event: str) -> str:
    with psycopg.connect(owner(env, env.outputs["app"]["DatabaseIdentifier"])) as connection:
        row = connection.execute("select event_type from events where event_id = %s", [event]).fetchone()
    assert row
    return str(row[0])


def log_digest(url: str) -> LogDigest:
    with closing(PostgresLog(url)) as log:
        return log.digest()
