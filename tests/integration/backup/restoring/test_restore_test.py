"""Restore-tests: what they measure, record and leave; drills that must be found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import pytest

from gymops.backup import envelope, restore_test
from gymops.backup.drill import KINDS, spoil
from gymops.backup.evidence import Result
from gymops.backup.gather import trial
from gymops.backup.port import Restored, Wanted
from gymops.backup.restore_test import UNSPOILED, How, Records
from gymops.backup.tiers import DEFAULT
from gymops.errors import AppFailed, GymopsError
from gymops.store.records import plain
from tests.integration.backup.restoring.conftest import CLOCK, NAME, Stored


def test_a_test_says_what_came_back_how_late_and_how_long_it_took(stored: Stored) -> None:
    told: list[str] = []
    tested = stored.test(tell=lambda phase, _: told.append(phase))
    last = stored.vault.seals.sealed()
    assert last.last
    assert tested.result is Result.PASSED
    assert tested.recovery_point == stored.point.id
    assert (tested.events.expected, tested.events.restored) == (stored.counts[-1], stored.counts[-1])
    assert tested.digest.expected == tested.digest.restored == last.head
    assert (tested.seal, tested.newer) == (last.last.number, 0)
    phases = ["plan", "wal", "unpack", "recover", "check", "prove"]
    assert list(tested.phases) == phases
    assert list(dict.fromkeys(told)) == [*phases, "drop"]
    assert tested.rto_seconds is not None
    assert sum(tested.phases.values()) == pytest.approx(tested.rto_seconds, abs=0.1)
    assert tested.restored_to
    assert tested.rpo_seconds == pytest.approx((tested.began - tested.restored_to).total_seconds(), abs=0.01)
    continuous = DEFAULT[0]
    assert (tested.target.tier, tested.target.met) == ("continuous", True)
    assert continuous.rpo
    assert tested.target.rpo_seconds == continuous.rpo.total_seconds()


@pytest.mark.long
def test_what_was_not_sealed_counts_as_lost(stored: Stored) -> None:
    """Newer events came back too, but nothing says that they are whole: the RPO is from the seal's moment."""
    newest = stored.vault.seals.read()[-1]
    stored.vault.objects.delete(f"seals/{NAME}/{newest.number:08d}.json")
    before = stored.vault.seals.read()[-1]
    tested = stored.test()
    assert (tested.result, tested.newer) == (Result.PASSED, newest.events - before.events)
    assert tested.rpo_seconds == pytest.approx((tested.began - before.taken).total_seconds(), abs=0.01)


@pytest.mark.long
def test_a_tier_s_newest_point_is_tested_and_held_to_its_target(stored: Stored) -> None:
    tested = stored.test(Wanted(tier="daily"))
    assert (tested.result, tested.tier, tested.target.tier) == (Result.PASSED, "daily", "daily")
    assert tested.events.restored == stored.counts[0]

    class Late(type(CLOCK)):  # type: ignore[misc]
        def now(self) -> datetime:
            return CLOCK.now() + timedelta(days=2)

    how = How("x", NAME, DEFAULT, stored.vault.seals)
    late = restore_test.run(stored.restores(), Wanted(tier="daily"), how, Late())
    assert (late.result, late.target.met) == (Result.PASSED, False)


def test_the_record_is_signed_and_read_by_the_audit(stored: Stored) -> None:
    tested = stored.test()
    records = Records(stored.vault.objects, NAME, stored.vault.keys)
    records.add(tested)
    assert records.read() == [tested]
    assert records.lasted("base") == tested.rto_seconds
    seen = trial(tested)
    assert (seen.result, seen.point, seen.events) == (Result.PASSED, stored.point.id, stored.counts[-1])
    key = f"tests/{NAME}/{tested.id}.json"
    found = stored.vault.objects.get(key)
    assert found
    envelope.open_(found[0], key, {stored.vault.keys.public})
    stored.vault.objects.delete(key)
    stored.vault.objects.create(key, found[0].replace(b"passed", b"failed"))
    with pytest.raises(envelope.Forged):
        records.read()


@pytest.mark.parametrize(
    "how", [pytest.param(how, marks=() if how == "damaged-page" else pytest.mark.long) for how in KINDS]
)
def test_a_drill_is_found(how: str, stored: Stored) -> None:
    restores = stored.restores()
    for newer in stored.vault.seals.read()[1:]:  # the last events of ann are not sealed
        stored.vault.objects.delete(f"seals/{NAME}/{newer.number:08d}.json")

    def spoiled(restored: Restored) -> str:
        return spoil(restores.server(restored), restored.url or "", how, CLOCK)

    tested = stored.test(restores=restores, spoil=spoiled)
    assert (tested.result, tested.caught) == (Result.FAILED, True)
    assert tested.drill
    assert tested.drill.startswith(how)
    if how != "damaged-page":
        assert "user 'ann'" in (tested.message or "")
    records = Records(stored.vault.objects, NAME, stored.vault.keys)
    records.add(tested)
    assert (records.read(), len(records.read("drills"))) == ([], 1)  # no audit takes it for a failure


@pytest.mark.long
def test_a_drill_that_spoils_nothing_is_not_caught(stored: Stored) -> None:
    tested = stored.test(spoil=lambda _: "nothing, really")
    assert (tested.result, tested.caught) == (Result.PASSED, False)

    def cannot(_: Restored) -> str:
        raise GymopsError("no")

    tested = stored.test(spoil=cannot)
    assert (tested.result, tested.drill, tested.caught) == (Result.UNVERIFIED, UNSPOILED, False)


@pytest.mark.long
def test_an_app_that_does_not_work_on_it_is_a_failure(stored: Stored) -> None:
    def broken(_: Restored) -> str:
        raise AppFailed("it is down", hint="look")

    tested = stored.test(app=broken)
    assert (tested.result, tested.events.restored) == (Result.FAILED, stored.counts[-1])
    assert "the app does not work on them: it is down" in (tested.message or "")
    assert stored.test(app=lambda restored: f"read {restored.port}").app == "read 5432"


def test_whether_the_app_works_may_be_what_nobody_can_tell(stored: Stored) -> None:
    def unknown(_: Restored) -> str:
        raise GymopsError("no answer")

    tested = stored.test(app=unknown)
    assert (tested.result, tested.events.restored) == (Result.UNVERIFIED, stored.counts[-1])
    assert "nobody can tell: no answer" in (tested.message or "")


def test_its_document_has_the_keys_that_were_promised(stored: Stored) -> None:
    vault = stored.vault
    for point in vault.catalogue.points():
        vault.catalogue.remove(point)
    document: Any = plain(stored.test())
    promised: Sequence[str] = (
        "result", "recovery_point", "events", "digest", "rpo_seconds", "rto_seconds", "phases", "target",
    )  # fmt: skip
    assert set(promised) <= set(document)
    assert set(document["events"]) == set(document["digest"]) == {"expected", "restored"}
    assert json.loads(json.dumps(document)) == document
    assert set(document) == {field.name for field in fields(restore_test.Tested)}
