"""Buckets: an object whose ETag alone differs is read, and nobody guesses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import pytest

from gymops.aws.buckets import Listed
from gymops.backup.items.buckets import BucketHolder
from gymops.backup.items.content import Content, hold
from gymops.backup.items.record import Part
from gymops.backup.recovery_point import StoredFile

_FILE = StoredFile("k", 1, "", 1)
PART = Part("photos", "arn:aws:s3:::photos", "arn:aws:backup:x", 1, _FILE, 1, 0, "", "bucket")


class MemoryBuckets:
    """Objects with the ETags they are given."""

    def __init__(self) -> None:
        self.there: dict[str, dict[str, tuple[str, bytes]]] = {"photos": {}, "copy": {}}

    def versioned(self, name: str) -> bool | None:
        return name in self.there or None

    def arn(self, name: str) -> str:
        return f"arn:aws:s3:::{name}"

    def objects(self, name: str) -> Iterator[Listed]:
        for key, (etag, data) in self.there[name].items():
            yield Listed(key, len(data), etag)

    def digests(self, name: str, key: str, etag: str) -> tuple[str, str] | None:
        found = self.there[name].get(key)
        if found is None or found[0] != etag:
            return None
        return _md5(found[1]), hashlib.sha256(found[1]).hexdigest()

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        raise AssertionError

    def delete(self, name: str) -> bool:
        raise AssertionError

    def put(self, name: str, key: str, data: bytes) -> None:
        self.there[name][key] = (_md5(data), data)

    def remove(self, name: str, key: str) -> None:
        del self.there[name][key]


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("then", "live", "copy", "verdict"),
    [
        (_md5(b"one"), b"two", ("other-2", b"one"), "same"),  # its MD5 was the ETag
        ("parts-2", b"one", ("other-2", b"one"), "same"),  # it is what its source still is
        ("parts-2", b"one", ("other-2", b"two"), "changed"),
        ("parts-2", None, ("other-2", b"one"), "unclear"),  # its source is another by now
        ("parts-2", None, ("other-2", b"long"), "changed"),  # its size says so
    ],
)
def test_what_differs_by_its_etag_is_read(
    then: str, live: bytes | None, copy: tuple[str, bytes], verdict: str
) -> None:
    buckets = MemoryBuckets()
    buckets.there["photos"]["a"] = (then, b"one")
    holder = BucketHolder(buckets)
    look = holder.look("photos")
    content = Content.of(look, look)
    buckets.there["photos"]["a"] = (then if live == b"one" else "new", live or b"new")
    buckets.there["copy"]["a"] = copy
    found, doubtful = holder.settled(PART, "copy", content, holder.look("copy"))
    held = hold(content, found, doubtful)
    assert (held.missing, held.changed, held.unclear) == (
        (), ("a",) if verdict == "changed" else (), ("a",) if verdict == "unclear" else (),
    )  # fmt: skip


def test_what_was_either_of_two_is_one_of_them() -> None:
    buckets = MemoryBuckets()
    buckets.there["copy"]["a"] = ("other-2", b"two")
    holder = BucketHolder(buckets)
    content = Content({}, {"a": ("3 parts-2", f"3 {_md5(b'two')}")})  # of the first nobody can tell
    found, doubtful = holder.settled(PART, "copy", content, holder.look("copy"))
    assert hold(content, found, doubtful).unclear == ()


def test_a_long_look_is_told_of_meanwhile() -> None:
    buckets = MemoryBuckets()
    buckets.there["photos"] = {str(number): ("etag", b"") for number in range(2500)}
    told: list[int] = []
    assert len(BucketHolder(buckets).look("photos", told.append)) == 2500
    assert told == [1000, 2000]


def test_names_are_those_a_bucket_can_have() -> None:
    holder = BucketHolder(MemoryBuckets())
    assert holder.called("new", "photos") == "new-photos"
    long = holder.called("prod-fitzen-coach-test-12345678", "prod-fitzen-coach-progress-photos-111111111111")
    other = holder.called("prod-fitzen-coach-test-12345678", "prod-fitzen-coach-profile-images-111111111111")
    later = holder.called("prod-fitzen-coach-test-1234567890-1234567890-2", long)
    assert (
        len({long, other, later, holder.called("prod-fitzen-coach-test-1234567890-1234567890-3", long)}) == 4
    )
    assert len(long) <= 63
