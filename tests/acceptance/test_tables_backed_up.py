"""Backups of an environment whose data are a DynamoDB table: taken, restored, proved, audited."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.test_lifestyle_phased import Lifestyle, app
from tests.local_aws import until

__all__ = ["app"]
TABLE = "users-dev"
TIERS = """
[environments.dev.backup.tiers.daily]
schedule = "03:00"

[environments.dev.backup.tiers.continuous]
rpo = "1 hour"
rto = "30 minutes"
"""


def put(app: Lifestyle, *numbers: int, **more: Any) -> None:
    for number in numbers:
        item = {"user_id": {"S": f"user-{number:03}"}, "tags": {"SS": ["b", "a"]}, **more}
        app.of("dynamodb", "dev").put_item(TableName=TABLE, Item=item)


def tables(app: Lifestyle) -> list[str]:
    return list(app.of("dynamodb", "dev").list_tables()["TableNames"])


def finds(app: Lifestyle, *kinds: str) -> None:
    """An audit finds these kinds, and no others."""
    said, _ = app.run("audit dev --json", 3 if kinds else 0)
    assert {one["kind"] for one in json.loads(said)["findings"]} == set(kinds), said


def killed(app: Lifestyle) -> None:
    """A restore-test that ends in the middle of its proof."""
    process = app.start("restore-test dev")
    assert process.stderr
    assert any(row.startswith("prove") for row in process.stderr)
    process.kill()
    process.communicate(timeout=60)


def in_between(app: Lifestyle) -> None:
    """The tier of every time between two backups."""
    file = app.folder / "gymops.toml"
    file.write_text(file.read_text(encoding="utf-8") + TIERS, encoding="utf-8")
    finds(app, "never-tested")
    assert app.run("worker dev --plan")[0].count("gymops backup dev") == 1

    app.run("restore-test dev --tier continuous --drill missing-event")
    tested = json.loads(app.run("restore-test dev --all --json")[0])["tests"]
    assert [(one["tier"], one["result"], one["items"]["restored"]) for one in tested] == [
        ("daily", "passed", 120), ("continuous", "passed", 121),
    ]  # fmt: skip
    moment, target = tested[1]["restored_to"], tested[1]["target"]
    assert target == {"tier": "continuous", "rpo_seconds": 3600, "rto_seconds": 1800, "met": True}
    assert 0 < tested[1]["rpo_seconds"] < 60
    finds(app)

    until(lambda: datetime.now(UTC) > datetime.fromisoformat(moment) + timedelta(seconds=2))
    app.run(f"restore dev --at {moment} --to proved")
    app.of("dynamodb", "dev").delete_item(TableName=TABLE, Key={"user_id": {"S": "user-500"}})
    later = (datetime.fromisoformat(moment) + timedelta(seconds=1)).isoformat()
    planned, said = app.run(f"restore dev --at {later} --to then --plan")
    assert "proof    none" in said, planned
    said, _ = app.run(f"restore dev --at {later} --to then", 1)
    assert "COULD NOT VERIFY nothing was recorded around that moment" in said
    assert app.of("dynamodb", "dev").scan(TableName=f"then-{TABLE}", Select="COUNT")["Count"] == 121
    _, said = app.run("restore dev --at 2026-01-01 --to never", 4)
    assert "before what can be restored: the nearest time is" in said


@pytest.mark.long
@pytest.mark.shows("lifestyle-phased", "backup", "restore-test", "audit")
def test_a_table_is_backed_up_restored_proved_and_audited(app: Lifestyle) -> None:
    app.run("deploy dev --yes")
    finds(app, "missing", "not-covered")
    put(app, *range(120))

    said, _ = app.run("backup dev --json")
    point = json.loads(said)["recovery_point"]
    assert (point["items"], [one["name"] for one in point["parts"]]) == (120, [TABLE])
    listed = json.loads(app.run("backups dev --json")[0])["points"]
    assert [(one["id"], one["ready"], one["seal"]["events"]) for one in listed] == [(point["id"], True, 120)]
    finds(app, "never-tested")

    assert "gymops backup dev --tier daily" in app.run("worker dev --plan")[0]

    put(app, 500)  # what came later is in no backup
    killed(app)
    assert len(tables(app)) == 2
    tested = json.loads(app.run("restore-test dev --json")[0])
    assert (tested["result"], tested["items"]) == ("passed", {"expected": 120, "restored": 120})
    assert tested["target"]["met"] is True
    assert tables(app) == [TABLE]
    finds(app)

    spoilt = json.loads(app.run("restore-test dev --drill missing-event --json")[0])
    assert spoilt["result"] == "failed"
    assert spoilt["message"] == 'the table users-dev: the item {"user_id":{"S":"user-000"}} is missing'
    spoilt = json.loads(app.run("restore-test dev --drill --json")[0])
    assert '"user-000"}} is not what it was' in spoilt["message"]
    assert spoilt["items"] == {"expected": 120, "restored": 119}

    app.run(f"restore dev --from {point['id']} --to again")
    assert app.of("dynamodb", "dev").scan(TableName=f"again-{TABLE}", Select="COUNT")["Count"] == 120
    app.run(f"restore dev --from {point['id']} --to again", 4)
    app.run("restore dev --switch", 2)

    in_between(app)
    dynamodb = app.of("dynamodb", "dev")
    dynamodb.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    finds(app, "no-point-in-time")
    app.run("restore-test dev --tier continuous", 1)
    app.run("restore dev --at 2026-01-01 --to never", 4)
    dynamodb.delete_backup(BackupArn=point["parts"][0]["backup"])
    finds(app, "entry-without-bytes", "no-point-in-time", "not-covered")
    app.run("restore-test dev", 1)
