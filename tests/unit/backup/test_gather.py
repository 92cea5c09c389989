"""What an audit reads of a store: records, files, seals, and what is wrong with them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gymops.backup import runs
from gymops.backup.audit import audit
from gymops.backup.evidence import Expected, Job, State
from gymops.backup.findings import Kind
from gymops.backup.gather import gather
from gymops.backup.keys import Keys
from gymops.backup.tiers import DEFAULT
from gymops.backup.vault import Vault
from gymops.store.folder import FolderBlobs
from tests.contract.objects import MemoryObjects
from tests.unit.backup.points import point
from tests.unit.clocks import START, FakeClock

NOW = START + timedelta(hours=2)


@pytest.fixture
def vault(objects: MemoryObjects, keys: Keys, data: Path, clock: FakeClock) -> Vault:
    return Vault("local", objects, FolderBlobs(data, clock), keys, data / "work", str(data))


def _stored(vault: Vault, size: int = 100) -> str:
    one = point(START, keep_until=START + timedelta(days=30))
    with vault.blobs.write(one.files[0].key) as file:
        file.write(b"x" * size)
    vault.catalogue.add(one)
    return one.id


def _kinds(vault: Vault) -> set[Kind]:
    return {one.kind for one in audit(gather(vault, NOW), Expected(DEFAULT[1:]), NOW).findings}


def test_of_a_good_store_only_the_proof_is_missing(vault: Vault) -> None:
    _stored(vault)
    assert _kinds(vault) == {Kind.UNTESTED}


def test_an_entry_whose_files_are_short_is_found(vault: Vault) -> None:
    name = _stored(vault, size=99)
    assert gather(vault, NOW).no_bytes == (name,)
    assert Kind.NO_BYTES in _kinds(vault)


def test_an_entry_whose_files_are_gone_is_found(vault: Vault) -> None:
    vault.catalogue.add(point(START, keep_until=START + timedelta(days=30)))
    assert Kind.NO_BYTES in _kinds(vault)


def test_files_that_no_record_names_are_found_once_they_are_old(vault: Vault, clock: FakeClock) -> None:
    _stored(vault)
    with vault.blobs.write("local/nobody/base.tar.zst.age") as file:
        file.write(b"x")
    assert gather(vault, NOW).no_entry == ()
    clock.sleep(40_000 * 86_400)  # whatever this machine's clock says of when it was written
    assert Kind.NO_ENTRY in _kinds(vault)


def test_a_record_that_was_changed_is_no_missing_backup(vault: Vault, objects: MemoryObjects) -> None:
    name = _stored(vault)
    key = f"points/local/{name}.json"
    found = objects.get(key)
    assert found
    objects.replace(key, found[0].replace(b"daily", b"monthly"), found[1])
    assert _kinds(vault) == {Kind.UNSEEN}


def test_a_seal_that_was_changed_is_found(vault: Vault, objects: MemoryObjects) -> None:
    _stored(vault)
    objects.create("seals/local/00000001.json", b"{}")
    assert Kind.SEALS in _kinds(vault)


def test_what_failed_is_found_as_it_was_written_down(vault: Vault) -> None:
    _stored(vault)
    later = NOW + timedelta(days=1)
    due = next(iter(DEFAULT[1].schedule.due(START, later))) if DEFAULT[1].schedule else later
    runs.record(vault, Job("daily", due, State.FAILED, due, message="the disk is full"))
    found = audit(gather(vault, later), Expected(DEFAULT[1:]), later).findings
    assert [(one.kind, one.what) for one in found if one.kind is Kind.FAILED] == [
        (Kind.FAILED, "the disk is full")
    ]
