"""The laws of what backups are stored in: in a folder, in moto's S3, in the local AWS's S3."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gymops.aws.blobs import S3Blobs
from gymops.clock import SystemClock
from gymops.errors import Exists
from gymops.store.blobs import Blobs, NoBlob
from gymops.store.folder import FolderBlobs
from gymops.store.objects import StoreError
from tests.contract.objects import moto
from tests.local_aws import ACCOUNT, Aws, unique
from tests.unit.clocks import FakeClock

CLOCK = SystemClock()
PART = 5 << 20
"""The smallest that S3 takes."""

Place = Callable[[Path], Blobs]


@pytest.fixture(scope="module", params=["folder", "moto", "local"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "folder":
        yield lambda folder: FolderBlobs(folder / "blobs", CLOCK)
    elif request.param == "moto":
        with moto() as client:
            yield lambda _: _in_a_bucket(client)
    else:
        local = request.getfixturevalue("aws").client("s3")
        yield lambda _: _in_a_bucket(local, ACCOUNT)


def _in_a_bucket(client: Any, owner: str | None = None) -> Blobs:
    name = f"backups-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="else/a", Body=b"not ours")
    return S3Blobs(client, name, "in/here/", CLOCK, owner=owner, part=PART)


@pytest.fixture
def blobs(place: Place, tmp_path: Path) -> Blobs:
    return place(tmp_path)


def _write(blobs: Blobs, key: str, data: bytes) -> None:
    with blobs.write(key) as sink:
        for at in range(0, len(data), 1 << 20):
            sink.write(data[at : at + (1 << 20)])


def _read(blobs: Blobs, key: str) -> bytes:
    with blobs.read(key) as source:
        return b"".join(iter(lambda: source.read(1 << 20), b""))


@pytest.mark.parametrize("size", [0, 1, PART, 2 * PART + 3])
def test_what_was_written_is_read(blobs: Blobs, size: int) -> None:
    data = random.Random(size).randbytes(size)
    _write(blobs, "a/b/c", data)
    assert _read(blobs, "a/b/c") == data
    assert blobs.size("a/b/c") == size
    age = blobs.age("a/b/c")
    assert age is not None
    assert 0 <= age < 120


def test_what_is_not_there_is_told(blobs: Blobs) -> None:
    assert blobs.size("a") is None
    assert blobs.age("a") is None
    with pytest.raises(NoBlob, match="is not there"):
        _read(blobs, "a")
    blobs.delete("a")
    assert list(blobs.keys("")) == []


def test_one_that_is_there_is_never_written_again(blobs: Blobs) -> None:
    _write(blobs, "a", b"first")
    with pytest.raises(Exists):
        _write(blobs, "a", b"second")
    assert _read(blobs, "a") == b"first"


def test_of_two_at_once_one_is_there(blobs: Blobs) -> None:
    def race() -> None:
        with blobs.write("a") as one:
            one.write(b"one")
            _write(blobs, "a", b"other")

    with pytest.raises(Exists):
        race()
    assert _read(blobs, "a") == b"other"


def test_one_whose_writer_fails_is_not_there(blobs: Blobs) -> None:
    def fail() -> None:
        with blobs.write("a") as sink:
            sink.write(bytes(2 * PART))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert blobs.size("a") is None
    assert list(blobs.keys("")) == []
    _write(blobs, "a", b"x")


def test_one_that_is_being_written_is_not_there_yet(blobs: Blobs) -> None:
    with blobs.write("a/b") as sink:
        sink.write(bytes(PART + 1))
        blobs.sweep(100 * 365 * 86_400)  # moto's uploads are all of 2010
        assert list(blobs.keys("")) == []
        assert blobs.size("a/b") is None
    assert list(blobs.keys("")) == ["a/b"]


def test_keys_are_those_with_the_prefix_in_the_order_of_their_bytes(blobs: Blobs) -> None:
    keys = ["a/10", "a/9", "a/z", "ab/1", "b/1"]
    for key in reversed(keys):
        _write(blobs, key, b"x")
    assert list(blobs.keys("")) == keys
    assert list(blobs.keys("a/")) == keys[:3]


def test_what_was_deleted_is_gone(blobs: Blobs) -> None:
    _write(blobs, "a", b"x")
    blobs.delete("a")
    blobs.delete("a")
    assert list(blobs.keys("")) == []


def test_eight_write_at_once_under_keys_of_their_own(blobs: Blobs) -> None:
    threads = [threading.Thread(target=_write, args=(blobs, f"t/{n}", b"%d" % n * 1000)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [_read(blobs, key)[:1] for key in blobs.keys("t/")] == [b"%d" % n for n in range(8)]


_BEGIN = """
import sys
import time
from pathlib import Path
from gymops.clock import SystemClock
from gymops.store.folder import FolderBlobs

with FolderBlobs(Path(sys.argv[1]), SystemClock()).write("a/b") as sink:
    sink.write(b"half")
    sink.flush()
    print("begun", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_writer_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    later = FakeClock()
    later.sleep(365 * 86_400)
    blobs = FolderBlobs(tmp_path, later)
    writer = subprocess.Popen([sys.executable, "-c", _BEGIN, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert writer.stdout
        assert writer.stdout.readline() == b"begun\n"
        blobs.sweep(0)
        assert len(_files(tmp_path)) == 1
        os.kill(writer.pid, signal.SIGKILL)
    finally:
        writer.kill()
        writer.communicate()
    assert list(blobs.keys("")) == []
    blobs.sweep(0)
    assert _files(tmp_path) == []


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def test_uploads_that_nobody_ends_are_swept_once_they_are_old(aws: Aws) -> None:
    client, bucket = aws.client("s3"), unique("backups")
    client.create_bucket(Bucket=bucket)
    for key in ("in/a", "else/a"):
        client.create_multipart_upload(Bucket=bucket, Key=key)

    def left() -> list[str]:
        return [one["Key"] for one in client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())]

    S3Blobs(client, bucket, "in/", CLOCK).sweep(3600)
    assert sorted(left()) == ["else/a", "in/a"]
    later = FakeClock()
    later.sleep(10 * 365 * 86_400)
    S3Blobs(client, bucket, "in/", later).sweep(3600)
    assert left() == ["else/a"]


@pytest.mark.parametrize("key", ["", "/a", "../a", ".new-x", "a/.b"])
def test_a_path_out_of_the_folder_is_no_key(tmp_path: Path, key: str) -> None:
    with pytest.raises(StoreError, match="is no key"), FolderBlobs(tmp_path, CLOCK).write(key):
        pass


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"), FolderBlobs(tmp_path / "file", CLOCK).write("a"):
        pass
