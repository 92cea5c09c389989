"""The catalogue holds what was signed under the key it was signed for, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gymops.backup import envelope
from gymops.backup.catalogue import Catalogue, Seals
from gymops.backup.envelope import Forged
from gymops.backup.keys import Keys
from gymops.backup.recovery_point import NoPoint
from gymops.errors import ConfigError, Exists
from gymops.eventlog.seal import SealError, sealed
from tests.contract.objects import MemoryObjects
from tests.unit.backup.growing import seals
from tests.unit.backup.points import point
from tests.unit.clocks import START


def test_points_are_listed_the_oldest_first(objects: MemoryObjects, keys: Keys) -> None:
    catalogue = Catalogue(objects, "local", keys)
    points = [point(START + timedelta(hours=hour)) for hour in range(12)]
    for one in reversed(points):
        catalogue.add(one)
    assert list(catalogue.points()) == points
    assert catalogue.get(points[3].id) == points[3]


def test_of_two_environments_neither_sees_the_other_s(objects: MemoryObjects, keys: Keys) -> None:
    Catalogue(objects, "local", keys).add(point())
    assert list(Catalogue(objects, "loc", keys).points()) == []
    assert list(Catalogue(objects, "prod", keys).points()) == []


def test_what_is_not_there_is_told(objects: MemoryObjects, keys: Keys) -> None:
    with pytest.raises(NoPoint, match="no recovery point x") as told:
        Catalogue(objects, "local", keys).get("x")
    assert told.value.hint == "gymops backups local"


def test_what_was_removed_is_gone(objects: MemoryObjects, keys: Keys) -> None:
    catalogue, one = Catalogue(objects, "local", keys), point()
    catalogue.add(one)
    catalogue.remove(one)
    catalogue.remove(one)
    assert list(catalogue.points()) == []


def test_another_s_record_is_refused_unless_trusted(
    objects: MemoryObjects, keys: Keys, other_keys: Keys
) -> None:
    one = point()
    Catalogue(objects, "local", other_keys).add(one)
    with pytest.raises(Forged, match="signed by another key"):
        Catalogue(objects, "local", keys).points()
    assert list(Catalogue(objects, "local", keys, {other_keys.public}).points()) == [one]


def test_a_record_under_another_key_is_refused(objects: MemoryObjects, keys: Keys) -> None:
    one = point()
    objects.create("points/local/other.json", envelope.close(one.dump(), keys))
    with pytest.raises(Forged, match=f"the record of local {one.id}"):
        Catalogue(objects, "local", keys).points()
    objects.create(f"points/prod/{one.id}.json", envelope.close(one.dump(), keys))
    with pytest.raises(Forged, match="the record of local"):
        Catalogue(objects, "prod", keys).points()


def test_a_signed_record_of_another_shape_is_refused(objects: MemoryObjects, keys: Keys) -> None:
    objects.create("points/local/x.json", envelope.close(b'{"new": 1}', keys))
    with pytest.raises(Forged, match="of another gymops"):
        Catalogue(objects, "local", keys).points()


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x"])
def test_a_name_that_is_none_is_refused(objects: MemoryObjects, keys: Keys, name: str) -> None:
    with pytest.raises(ConfigError, match="no name of an environment"):
        Catalogue(objects, name, keys)
    with pytest.raises(ConfigError, match="no name of an environment"):
        Seals(objects, name, keys)


def test_seals_are_read_in_order_and_together(objects: MemoryObjects, keys: Keys) -> None:
    row, kept = seals(12), Seals(objects, "local", keys)
    for seal in row:
        kept.add(seal)
    assert list(kept.read()) == row
    assert kept.sealed() == sealed(row)
    assert kept.sealed(5) == sealed(row[:5])


def test_no_seals_say_nothing(objects: MemoryObjects, keys: Keys) -> None:
    assert Seals(objects, "local", keys).sealed().last is None


def test_of_two_that_seal_at_once_one_is_told(objects: MemoryObjects, keys: Keys) -> None:
    row, kept = seals(2), Seals(objects, "local", keys)
    kept.add(row[0])
    kept.add(row[0])  # the same written again
    with pytest.raises(Exists):
        kept.add(seals(3)[1].__class__(**{**vars(row[1]), "number": 1}))


@pytest.mark.parametrize("upto", [2, 3, None])
def test_a_missing_seal_is_told(objects: MemoryObjects, keys: Keys, upto: int | None) -> None:
    kept = Seals(objects, "local", keys)
    for seal in seals(4):
        kept.add(seal)
    objects.delete("seals/local/00000002.json")
    with pytest.raises(SealError):
        kept.sealed(upto)


def test_a_seal_that_was_not_taken_is_told(objects: MemoryObjects, keys: Keys) -> None:
    with pytest.raises(SealError, match="has no seal 3"):
        Seals(objects, "local", keys).sealed(3)


def test_a_seal_under_another_number_is_refused(objects: MemoryObjects, keys: Keys) -> None:
    (seal,) = seals(1)
    objects.create("seals/local/00000002.json", envelope.close(seal.dump(), keys))
    with pytest.raises(Forged, match="is seal 1 of local"):
        Seals(objects, "local", keys).read()
