"""The laws of the store of releases, on every store."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gymops.aws.s3 import S3Objects
from gymops.clock import SystemClock
from gymops.errors import Changed, Exists, GymopsError
from gymops.store.directory import DirectoryObjects
from gymops.store.objects import Objects, StoreError
from tests.contract.objects import MemoryObjects, moto
from tests.local_aws import ACCOUNT

CLOCK = SystemClock()


Place = Callable[[Path], Objects]


@pytest.fixture(scope="module", params=["memory", "directory", "moto", "local"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "memory":
        yield lambda _: MemoryObjects(CLOCK)
    elif request.param == "directory":
        yield lambda folder: DirectoryObjects(folder / "objects", CLOCK)
    elif request.param == "moto":
        with moto() as client:
            yield lambda _: _in_a_bucket(client)
    else:
        local = request.getfixturevalue("aws").client("s3")
        yield lambda _: _in_a_bucket(local, ACCOUNT)


def _in_a_bucket(client: Any, owner: str | None = None) -> Objects:
    name = f"releases-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    return S3Objects(client, name, CLOCK, owner=owner)


@pytest.fixture
def objects(place: Place, tmp_path: Path) -> Objects:
    return place(tmp_path)


def test_what_was_never_written_is_not_there(objects: Objects) -> None:
    assert objects.get("locks/prod.json") is None
    assert list(objects.keys("")) == []


def test_what_is_created_is_read_with_its_etag_and_its_age(objects: Objects) -> None:
    etag = objects.create("locks/prod.json", b"\x00one\r\n")
    data, told, age = objects.get("locks/prod.json") or (b"", "", -1.0)
    assert (data, told) == (b"\x00one\r\n", etag)
    assert 0.0 <= age < 60.0


def test_nothing_is_created_over_anything(objects: Objects) -> None:
    etag = objects.create("a/1", b"one")
    with pytest.raises(Exists, match="a/1"):
        objects.create("a/1", b"two")
    assert (objects.get("a/1") or ())[:2] == (b"one", etag)


def test_creating_the_same_again_is_the_same_creation(objects: Objects) -> None:
    assert objects.create("a/1", b"one") == objects.create("a/1", b"one")


def test_only_what_was_read_is_replaced(objects: Objects) -> None:
    first = objects.create("a/1", b"one")
    second = objects.replace("a/1", b"two", first)
    assert second != first
    with pytest.raises(Changed, match="a/1"):
        objects.replace("a/1", b"three", first)
    assert (objects.get("a/1") or ())[:2] == (b"two", second)


def test_replacing_by_the_same_again_is_the_same_replacement(objects: Objects) -> None:
    first = objects.create("a/1", b"one")
    assert objects.replace("a/1", b"two", first) == objects.replace("a/1", b"two", first)


def test_what_is_gone_is_not_replaced(objects: Objects) -> None:
    etag = objects.create("a/1", b"one")
    objects.delete("a/1")
    with pytest.raises(Changed):
        objects.replace("a/1", b"two", etag)
    assert objects.get("a/1") is None


def test_only_what_was_read_is_deleted(objects: Objects) -> None:
    first = objects.create("a/1", b"one")
    second = objects.replace("a/1", b"two", first)
    with pytest.raises(Changed):
        objects.delete("a/1", first)
    objects.delete("a/1", second)
    assert objects.get("a/1") is None
    with pytest.raises(Changed):
        objects.delete("a/1", second)
    objects.delete("a/1")
    assert objects.create("a/1", b"three")


def test_keys_are_listed_in_the_order_of_their_bytes(objects: Objects) -> None:
    keys = ["a/10", "a/9", "a/z", "a/é", "ab/1", "b/1"]
    for key in reversed(keys):
        objects.create(key, key.encode())
    assert list(objects.keys("")) == keys
    assert list(objects.keys("a/")) == keys[:4]
    assert list(objects.keys("a")) == keys[:5]
    assert list(objects.keys("a/1")) == ["a/10"]


def test_one_of_eight_at_once_creates(objects: Objects) -> None:
    for turn in range(5):
        key = f"races/{turn}"
        won = _race(lambda writer: objects.create(key, b"%d" % writer))  # noqa: B023 - over when it changes
        assert (objects.get(key) or ())[:2] == (b"%d" % won[0], won[1])


def test_one_of_eight_at_once_replaces_and_none_is_lost(objects: Objects) -> None:
    etag = objects.create("race", b"begin")
    for turn in range(5):
        write = partial(_replace, objects, turn, etag)
        writer, etag = _race(write)
        assert (objects.get("race") or ())[:2] == (b"%d %d" % (turn, writer), etag)


def _replace(objects: Objects, turn: int, etag: str, writer: int) -> str:
    return objects.replace("race", b"%d %d" % (turn, writer), etag)


def _race(write: Callable[[int], str]) -> tuple[int, str]:
    """Eight writers set off at once: who wrote, and the etag."""
    start = threading.Barrier(8)
    wrote: list[tuple[int, str]] = []
    refused: list[GymopsError] = []

    def run(writer: int) -> None:
        start.wait()
        try:
            wrote.append((writer, write(writer)))
        except (Exists, Changed) as error:
            refused.append(error)

    threads = [threading.Thread(target=run, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(wrote), len(refused)) == (1, 7)
    return wrote[0]


_COUNT = """
import os
import sys
from pathlib import Path
from gymops.clock import SystemClock
from gymops.store.directory import DirectoryObjects
from gymops.errors import Changed

objects = DirectoryObjects(Path(sys.argv[1]), SystemClock())
done = 0
while done < 50:
    data, etag, _ = objects.get("count")
    try:
        number = int(data.split()[0]) + 1
        objects.replace("count", f"{number} {os.getpid()}".encode(), etag)
        done += 1
    except Changed:
        pass
"""


def test_two_processes_count_in_one_directory(tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path, CLOCK)
    objects.create("count", b"0")
    counting = [subprocess.Popen([sys.executable, "-c", _COUNT, str(tmp_path)]) for _ in range(2)]
    assert [process.wait(60) for process in counting] == [0, 0]
    assert (objects.get("count") or (b"",))[0].split()[0] == b"100"


@pytest.mark.parametrize("key", ["", "/a", "a/", "../a", "a//b", ".lock", "a/.new"])
def test_a_path_out_of_the_directory_is_no_key(tmp_path: Path, key: str) -> None:
    objects = DirectoryObjects(tmp_path / "objects", CLOCK)
    calls: list[Callable[[], Any]] = [
        lambda: objects.create(key, b"x"), lambda: objects.get(key), lambda: objects.delete(key),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(StoreError, match="is no key"):
            call()


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    objects = DirectoryObjects(file, CLOCK)
    with pytest.raises(StoreError, match=str(file)):
        objects.create("a", b"x")
    with pytest.raises(StoreError, match=str(file)):
        objects.replace("a", b"x", "e")
