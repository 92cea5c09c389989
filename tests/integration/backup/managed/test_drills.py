"""Drills and the app on what RDS restored: done by the function that reaches it, and never to the source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from gymops.app import operations, reading
from gymops.app.store.opening import open_store
from gymops.backup.evidence import Result
from gymops.backup.managed import proving, tags
from gymops.backup.port import Restored, Wanted
from gymops.backup.recovery_point import new_id
from gymops.backup.restore_test import How, run
from gymops.backup.restore_test import Tested as Verdict
from gymops.backup.tiers import DEFAULT
from gymops.clock import SystemClock
from gymops.errors import AppFailed, GateRefused
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.spoiling import STATEMENTS
from tests.contract.stores import Trainee
from tests.integration.backup.managed.world import World

pytestmark = pytest.mark.long


def outcome(own: World, **how: Any) -> Verdict:
    given = How(new_id(own.now()), "prod", DEFAULT, own.backups.seals, **how)
    return run(own.backups, Wanted(tier="daily"), given, SystemClock())


def answering(told: Mapping[str, bytes]) -> reading.Get:
    return lambda path: (200, told[path])


def test_a_fault_is_put_into_the_restored_one_alone_and_found_and_the_app_works_on_a_good_one(
    own: World,
) -> None:
    store = open_store(own.url(own.name), user="", clock=SystemClock())
    trainee = Trainee(store, "ann")
    trainee.start()
    trainee.log(weight=62.5)
    trainee.log(weight=65.0)
    store.close()
    own.log("bob", 2)
    own.backups.take("daily")
    before = own.backups.aws.databases.find(own.name)
    assert before

    passed = outcome(own, app=own.backups.read)
    assert (passed.result, passed.message) == (Result.PASSED, None)
    assert passed.app == "healthy; the history of ann lists 0 workouts, its export all 3 events"

    url = own.url(own.name)
    with closing(PostgresLog(url)) as log:
        lines = [
            json.dumps({"event_id": str(one.event_id), "event_type": one.event_type}).encode()
            for one in log.events("ann")
        ]
    said = {"/api/ready": b'{"ready": true}', "/api/history": b'{"items": []}'}
    for export, why in (
        (lines[:2], "2 events of 3 of 'ann'"),
        ([lines[0], lines[2], lines[1]], "another one at position 2 of 'ann'"),
    ):
        told = {**said, "/api/export": b"\n".join(export)}
        with pytest.raises(AppFailed, match=why):
            reading.through(answering(told), url, "ann")
    with pytest.raises(AppFailed, match="GET /api/ready answers 503"):
        reading.through(lambda _: (503, b"not yet"), url, "ann")

    for how in STATEMENTS:
        drill = outcome(own, spoil=partial(own.backups.spoil, how=how))
        assert (drill.result, drill.caught, drill.events.expected) == (Result.FAILED, True, 5), how
        assert (drill.drill or "").startswith(f"{how}: user 'ann', position ")
        assert drill.message is not None
        assert drill.message.startswith("user 'ann', chunk 1: "), how
        assert ("event " in drill.message) is (how != "missing-event")
    assert own.backups.seal() == own.backups.listing().points[-1].seal  # the source is as it was

    # The app on a log that it cannot work on: that is said, and it is the backup's fault.
    def broken(restored: Restored) -> str:
        with own.connect(restored.name) as connection:
            connection.execute("DROP TABLE alembic_version")
        return own.backups.read(restored)

    failed = outcome(own, app=broken)
    assert failed.result is Result.FAILED
    assert "every event came back, and the app does not work on them" in (failed.message or "")


def test_nothing_but_what_a_test_restored_is_ever_spoilt(own: World) -> None:
    own.log("ann", 3)
    own.backups.take("daily")
    plan = own.backups.plan(Wanted(tier="daily", to=f"{own.name}-kept"))
    kept = own.backups.restore(plan)  # to be used: no test
    for name in (own.name, kept.name):
        with pytest.raises(GateRefused, match="by no test of prod"):
            own.backups.spoil(Restored(name, "", 0, None), "changed-row")

    # Nor does the function do it to the source, whatever it is told by whomever: not by its own name or
    # password, and not with those of a restored one at its address.
    def asked(at: Any) -> Any:
        event = {"do": "spoil", "how": "changed-row", "at": at}
        found = operations.answer(
            json.loads(json.dumps(event)), own.function.environ, clock=SystemClock(),
            secrets=own.function.secrets,
        )  # fmt: skip
        return found["error"]["code"], found["error"]["message"]

    databases = own.backups.aws.databases
    source, other = databases.find(own.name), databases.find(kept.name)
    assert source
    assert other
    assert other.secret
    at = proving.place(source)
    assert asked(at) == asked({**at, "secret": None}) == asked({"host": at["host"], "port": at["port"]})
    assert asked(at)[0] == "refused"
    with own.connect() as connection:  # as where both have one password
        secret = json.loads(own.function.secrets.read(other.secret))
        connection.execute(f"ALTER ROLE {secret['username']} PASSWORD '{secret['password']}'")
    own.function.environ = {**own.function.environ, "GYMOPS_APP_DATABASE_SECRET_ARN": other.secret}
    code, message = asked(at)
    assert (code, message) == (
        "refused",
        "this is the environment's own database, and a drill never touches that",
    )
    assert own.events(own.name) == 3
    assert tags.TEST in other.tags
    own.backups.drop(kept)
