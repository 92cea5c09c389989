"""voice-tracker-neon on the local AWS in use; in Neon's place stands a PostgreSQL of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict

from gymops.aws.account import Account
from gymops.aws.secrets import Keeper
from tests.integration.stacks.environment import Environment
from tests.integration.stacks.using import owner
from tests.local_aws import until

pytestmark = pytest.mark.long

Make = Callable[[str, str], Environment]


def instead_of_neon(env: Environment) -> str:
    """A server, and its URL in both of the environment's secrets, as `gymops neon connect` leaves them."""
    rds = env.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="neon", Engine="postgres", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
        DBName="gymdb", MasterUsername="gym", ManageMasterUserPassword=True,
    )  # fmt: skip
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="neon")
    found = conninfo_to_dict(owner(env, "neon"))
    text = json.dumps({"username": found["user"], "engine": "postgres", **found})
    keeper = Keeper(Account(env.of.region, endpoint=env.aws.settings.url, number=env.account))
    for name in ("database", "database-direct"):
        assert keeper.keep(f"gym-app/{env.name}/{name}", text, env.of.region, "In Neon's place")
        assert not keeper.keep(f"gym-app/{env.name}/{name}", text, env.of.region, "In Neon's place")
    return str(owner(env, "neon"))


def test_the_api_answers_what_comes_from_cloudfront_and_the_share_of_errors_rings(make: Make) -> None:
    env = make("staging", "voice-tracker-neon")
    instead_of_neon(env)
    answer = env.client("lambda").invoke(
        FunctionName="gym-app-database-staging", Payload=b'{"do": "schema-upgrade"}'
    )
    assert json.load(answer["Payload"])["applied"]
    assert env.outputs["app"]["StaticBucketName"] == f"gym-app-frontend-staging-{env.account}"
    runtime = env.client("lambda").get_function_configuration(FunctionName="gym-app-staging")["Runtime"]
    assert runtime == "python3.11"
    url = env.outputs["app"]["ApiEndpoint"]
    shown = {"x-origin-secret": sent_by_cloudfront(env)}
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as caller:
        assert caller.get("/api/health").status_code == 401
        assert caller.get("/api/health", headers={"x-origin-secret": "guessed"}).status_code == 403
        health = caller.get("/api/health", headers=shown)
        assert (health.status_code, health.json()["status"]) == (200, "ok")
        assert caller.get("/api/ready", headers=shown).status_code == 200
        assert caller.get("/api/export", headers=shown).status_code == 401  # the app's own
        assert caller.get("/other", headers=shown).status_code == 404  # no route
    share_of_errors_rings(env)


def sent_by_cloudfront(env: Environment) -> str:
    """The header that the distribution gives to the API's origin, and to no other."""
    found = env.client("cloudfront").get_distribution(Id=env.outputs["app"]["DistributionId"])
    origins = {one["Id"]: one for one in found["Distribution"]["DistributionConfig"]["Origins"]["Items"]}
    assert not origins["pages"].get("CustomHeaders", {}).get("Items")
    (header,) = origins["api"]["CustomHeaders"]["Items"]
    assert header["HeaderName"] == "x-origin-secret"
    return str(header["HeaderValue"])


def share_of_errors_rings(env: Environment) -> None:
    """Four of a hundred calls are no alarm, six are."""
    watch = env.client("cloudwatch")
    (alarm,) = watch.describe_alarms(AlarmNames=["staging-gym-app-errors"])["MetricAlarms"]
    metrics = {one["Id"]: one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one}

    def state() -> Any:
        return watch.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"][0]["StateValue"]

    def tell(errors: float) -> None:
        for minutes in (1, 2, 3):
            for name, value in (("errors", errors), ("calls", 100.0)):
                metric = metrics[name]
                watch.put_metric_data(
                    Namespace=metric["Namespace"],
                    MetricData=[
                        {
                            "MetricName": metric["MetricName"], "Dimensions": metric["Dimensions"],
                            "Value": value, "Timestamp": datetime.now(UTC) - timedelta(minutes=minutes),
                        }
                    ],
                )  # fmt: skip

    tell(4.0)
    until(lambda: state() == "OK", seconds=60)
    tell(8.0)  # twelve of two hundred
    until(lambda: state() == "ALARM", seconds=60)
