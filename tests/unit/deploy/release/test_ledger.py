"""The ledger: what is recorded, read back, refused, and returned to."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gymops.deploy.release.ledger import (
    Ledger,
    NoRelease,
    Release,
    ReleasedArtefact,
    Source,
    last_good,
    previous,
    targets,
)
from gymops.deploy.release.plan import Outcome
from gymops.deploy.release.records import RecordError, SecretInRecord, dump, load, shown
from gymops.store.objects import Stored
from tests.unit.clocks import FakeClock
from tests.unit.deploy.release.doubles import Recording

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEY = "releases/prod/00000001.json"
FEW = settings(max_examples=40, deadline=None)


def release(operation: str = "op-1", digest: str = "a", **given: Any) -> Release:
    values: dict[str, Any] = {
        "environment": "prod", "operation": operation, "verb": "deploy", "outcome": Outcome.SUCCEEDED,
        "who": "ann", "artefact": ReleasedArtefact(f"sha256:{digest}", "zip", "s3://releases/a"),
        "template": "sha256:t", "parameters": {"Size": "512"}, "withheld": ("DbPassword",),
        "started": AT, "ended": AT + timedelta(seconds=90),
    }  # fmt: skip
    return Release(**{**values, **given})


@pytest.fixture
def objects() -> Recording:
    return Recording(FakeClock())


@pytest.fixture
def ledger(objects: Recording) -> Ledger:
    return Ledger(objects, "prod")


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(texts, json_values, max_size=3)
any_release = st.builds(
    Release,
    environment=st.just("prod"),
    operation=st.uuids().map(str),
    verb=st.sampled_from(["deploy", "promote", "rollback"]),
    outcome=st.sampled_from(Outcome),
    who=texts,
    artefact=st.builds(ReleasedArtefact, texts, st.sampled_from(["zip", "image"]), texts),
    template=texts,
    parameters=st.dictionaries(texts, texts, max_size=3),
    withheld=st.lists(texts, max_size=3).map(tuple),
    started=times,
    ended=times,
    number=st.just(0),
    why=st.none() | texts,
    approved_by=st.none() | texts,
    commit=st.none() | texts,
    dirty=st.booleans(),
    schema_before=st.none() | texts,
    schema_after=st.none() | texts,
    change_set=st.none() | texts,
    test=st.none() | documents,
    smoke=st.lists(documents, max_size=3).map(tuple),
    durations=st.dictionaries(texts, st.floats(0, 1e6), max_size=3),
    source=st.none() | st.builds(Source, texts, st.integers(1, 99)),
    break_glass=st.none() | texts,
    version=st.none() | texts,
    schema=st.just(1),
)


@FEW
@given(st.lists(any_release, max_size=5, unique_by=lambda one: one.operation))
def test_every_release_is_read_back_as_it_was_recorded(recorded: list[Release]) -> None:
    objects = Recording(FakeClock())
    appended = [Ledger(objects, "prod").append(one) for one in recorded]
    assert appended == [replace(one, number=n) for n, one in enumerate(recorded, start=1)]
    assert list(Ledger(objects, "prod").releases()) == appended
    assert [json.loads(json.dumps(one.as_dict()))["number"] for one in appended] == [
        *range(1, len(recorded) + 1)
    ]


@FEW
@given(any_release, st.data())
def test_no_byte_of_a_record_is_changed_unnoticed(recorded: Release, data: st.DataObject) -> None:
    written = dump(replace(recorded, number=1))
    at = data.draw(st.integers(0, len(written) - 1))
    damaged = bytearray(written)
    damaged[at] ^= data.draw(st.integers(1, 255))
    with suppress(RecordError):
        # White space may change: it says nothing.
        assert dump(load(Release, bytes(damaged), KEY)) == written


@FEW
@given(st.lists(st.tuples(st.integers(1, 4), any_release), max_size=12))
def test_an_operation_is_recorded_once_however_often_it_is_tried(tries: list[tuple[int, Release]]) -> None:
    objects = Recording(FakeClock())
    first: dict[str, Release] = {}
    for operation, one in tries:
        appended = Ledger(objects, "prod").append(replace(one, operation=f"op-{operation}"))
        assert first.setdefault(appended.operation, appended) == appended
    numbers = [one.number for one in Ledger(objects, "prod").releases()]
    assert numbers == [*range(1, len(first) + 1)]


def test_of_many_at_once_each_is_recorded_once(objects: Recording) -> None:
    start = threading.Barrier(8)

    def append(writer: int) -> None:
        start.wait()
        for turn in random.Random(writer).sample(range(10), 10):
            Ledger(objects, "prod").append(release(f"op-{turn}"))

    threads = [threading.Thread(target=append, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.operation for one in Ledger(objects, "prod").releases()) == [
        f"op-{n}" for n in range(10)
    ]
    assert len(objects.written) >= 10
    assert len(objects.keys("releases/prod/")) == 10


def test_who_is_overtaken_takes_the_next_number(objects: Recording, ledger: Ledger) -> None:
    def meanwhile(_: str) -> None:
        objects.before = lambda _: None
        Ledger(objects, "prod").append(release("op-other"))

    objects.before = meanwhile
    assert ledger.append(release("op-mine")).number == 2


def test_a_record_is_never_written_again(objects: Recording, ledger: Ledger) -> None:
    for number in range(1, 4):
        ledger.append(release(f"op-{number}"))
        ledger.append(release(f"op-{number}", outcome=Outcome.FAILED))
    assert [key for key, _ in objects.written] == [f"releases/prod/0000000{n}.json" for n in (1, 2, 3)]


def test_records_are_read_once(objects: Recording, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        Ledger(objects, "prod").append(release(f"op-{number}"))
    read: list[str] = []
    get = objects.get

    def counted(key: str) -> Stored | None:
        read.append(key)
        return get(key)

    monkeypatch.setattr(objects, "get", counted)
    for _ in range(3):
        ledger.releases()
    assert sorted(read) == [f"releases/prod/0000000{n}.json" for n in (1, 2, 3)]


def test_a_release_is_found_by_its_number(ledger: Ledger) -> None:
    recorded = ledger.append(release())
    assert ledger.get(1) == recorded
    with pytest.raises(NoRelease, match="prod has no release 2") as told:
        ledger.get(2)
    assert told.value.hint == "gymops releases prod"


def change(text: str, **given: Any) -> bytes:
    """A record with other fields and a digest that fits."""
    from gymops.deploy.artefact import canonical, sha256

    document = {**json.loads(text), **given}
    document = {name: value for name, value in document.items() if value != "absent"}
    document.pop("sha256")
    return json.dumps({**document, "sha256": sha256(canonical(document))}).encode()


def test_a_record_of_before_something_was_recorded_says_nothing_of_it(objects: Recording) -> None:
    written = Ledger(objects, "prod").append(release())
    earlier = change(objects.bytes_of(KEY).decode(), static="absent", waiting="absent", around="absent")
    objects.overwrite(KEY, earlier)
    assert list(Ledger(objects, "prod").releases()) == [written]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda _: b"", "no JSON object"),
        (lambda _: b"null", "no JSON object"),
        (lambda _: b"[" * 100_000, "no JSON object"),
        (lambda text: text[: len(text) // 2].encode(), "no JSON object"),
        (lambda text: text.replace('"ann"', '"bob"').encode(), "its digest is another"),
        (lambda text: change(text, schema=2, more=1), r"by a later gymops \(form 2; this one knows 1\)"),
        (lambda text: change(text, who="absent"), "who is missing"),
        (lambda text: change(text, more=1), "more is unknown"),
        (lambda text: change(text, who=5), "wrong type: int"),
        (lambda text: change(text, number=True), "wrong type: bool"),
        (lambda text: change(text, outcome="fine"), "'fine' is not a valid Outcome"),
        (lambda text: change(text, started="2026-01-01T00:00:00"), "no time zone"),
        (lambda text: change(text, started="yesterday"), "yesterday"),
        (lambda text: change(text, artefact={"digest": "x"}), "kind is missing"),
        (lambda text: change(text, number=7), "it is release 7 of prod"),
        (lambda text: change(text, environment="staging"), "it is release 1 of staging"),
    ],
)  # fmt: skip
def test_a_record_that_is_not_what_it_was_is_named(
    objects: Recording, ledger: Ledger, damage: Callable[[str], bytes], said: str
) -> None:
    ledger.append(release())
    Ledger(objects, "prod").append(release("op-2"))
    objects.overwrite(KEY, damage(objects.bytes_of(KEY).decode()))
    for act in (
        lambda: Ledger(objects, "prod").releases(),
        lambda: Ledger(objects, "prod").append(release("op-3")),
    ):
        with pytest.raises(RecordError, match=said) as told:
            act()
        assert told.value.message.startswith(KEY)
        assert told.value.hint


def test_a_record_that_is_gone_is_missed(objects: Recording, ledger: Ledger) -> None:
    for number in range(3):
        ledger.append(release(f"op-{number}"))
    objects.delete("releases/prod/00000002.json")
    with pytest.raises(RecordError, match=r"releases/prod/00000002\.json is missing"):
        ledger.releases()


SECRETS = {
    "Password": "hunter2", "DbMasterPassword": "Xq7-Rw2-Zp9", "ApiKey": "abc", "SigningToken": "t0k3n",
    "Database": "postgresql://app:Xq7Rw2Zp9Lk4@db.internal/gym", "Deploy": f"AKIA{'Q' * 16}",
    "Model": f"sk-ant-{'k3Y' * 12}", "Key": "-----BEGIN RSA PRIVATE KEY-----\nMII", "Pin": "4711",
}  # fmt: skip
PLAIN = {
    "Size": "512", "Secret": "arn:aws:secretsmanager:us-east-1:111111111111:secret:prod/db-AbCdEf",
    "PasswordLength": "32", "Environment": "prod", "Image": "repo@sha256:" + "0" * 64, "Empty": "",
}  # fmt: skip


def test_no_secret_gets_into_a_parameter() -> None:
    assert shown({**SECRETS, **PLAIN}, secret=["Pin"]) == dict(sorted(PLAIN.items()))


@pytest.mark.parametrize(
    "given",
    [
        {"parameters": {"Url": SECRETS["Database"]}},
        {"parameters": {SECRETS["Deploy"]: "x"}},
        {"break_glass": f"the key is {SECRETS['Deploy']}"},
        {"smoke": ({"path": "/", "answer": [{"token": SECRETS["Model"]}]},)},
        {"why": SECRETS["Key"]},
    ],
)
def test_no_secret_gets_into_the_ledger_by_another_way(
    objects: Recording, ledger: Ledger, given: dict[str, Any]
) -> None:
    with pytest.raises(SecretInRecord) as told:
        ledger.append(release(**given))
    assert told.value.exit_code == 4
    assert not any(secret in str(told.value) for secret in SECRETS.values())
    assert objects.written == []


def test_what_failed_is_recorded_and_never_returned_to(ledger: Ledger) -> None:
    outcomes = [Outcome.SUCCEEDED, *Outcome]
    for number, outcome in enumerate(outcomes):
        ledger.append(release(f"op-{number}", digest=str(number), outcome=outcome))
    releases = ledger.releases()
    assert [one.outcome for one in releases] == outcomes
    assert last_good(releases) == releases[1]
    assert list(targets(releases)) == [releases[0]]
    assert previous(releases) == releases[0]


def test_there_is_nothing_to_return_to_at_first(ledger: Ledger) -> None:
    assert (last_good([]), list(targets([])), previous([])) == (None, [], None)
    ledger.append(release("op-1", outcome=Outcome.FAILED))
    ledger.append(release("op-2"))
    ledger.append(release("op-3"))  # the same again
    assert list(targets(ledger.releases())) == []
    assert previous(ledger.releases()) is None


def test_rolling_back_twice_goes_back_twice(ledger: Ledger) -> None:
    for number, digest in enumerate("abc", start=1):
        ledger.append(release(f"op-{number}", digest=digest))
    back = {"verb": "rollback"}
    ledger.append(release("op-4", digest="b", source=Source("prod", 2), **back))
    found = previous(ledger.releases())
    assert found
    assert found.number == 1
    assert [one.number for one in targets(ledger.releases())] == [3, 1]
    ledger.append(release("op-5", digest="a", source=Source("prod", 1), **back))
    assert previous(ledger.releases()) is None
    ledger.append(release("op-6", digest="d"))
    found = previous(ledger.releases())
    assert found
    assert found.number == 5


def test_other_parameters_are_another_release_and_a_withheld_value_is_only_named() -> None:
    one = release()
    assert replace(one, parameters={"Size": "1024"}).content != one.content
    assert replace(one, withheld=()).content != one.content
    assert replace(one, operation="op-9", who="bob", version="7").content == one.content
    assert one.as_dict()["parameter_digest"] == one.parameter_digest


def test_a_release_is_recorded_in_its_own_ledger_only(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="staging"):
        ledger.append(release(environment="staging"))
