"""What is handed from one thread to another: all of it, in order, and nobody waits for ever."""

from __future__ import annotations

import io
import random
import tarfile
import threading
from pathlib import Path

import pytest

from gymops.backup import base
from gymops.backup.handover import Handover
from gymops.backup.stream import Damaged
from gymops.store.objects import StoreError


def test_what_is_read_is_what_was_written() -> None:
    chance = random.Random(1)
    data = chance.randbytes(5_000_000)
    handed = Handover()

    def writing() -> None:
        at = 0
        while at < len(data):
            size = chance.choice([0, 1, 511, 70_000, 400_000])
            at += handed.write(data[at : at + size])
        handed.close()

    thread = threading.Thread(target=writing)
    thread.start()
    found, sizes = bytearray(), random.Random(2)
    while part := handed.read(wanted := sizes.choice([1, 512, 65_536, 300_000])):
        assert len(part) == min(wanted, len(data) - len(found))
        found += part
        assert handed.tell() == len(found)
        if sizes.random() < 0.2:
            ahead = len(found) + sizes.choice([0, 1, 100_000])
            found += data[len(found) : handed.seek(ahead)]
    thread.join()
    assert bytes(found) == data
    assert handed.read(1) == b""


def test_who_writes_goes_on_when_nobody_reads_any_more() -> None:
    handed = Handover()
    thread = threading.Thread(target=handed.drain)
    thread.start()
    for _ in range(100):
        handed.write(bytes(100_000))
    handed.close()
    thread.join(30)
    assert not thread.is_alive()


def _unpacked(data: bytes, folder: Path) -> None:
    with base._untarring(folder, "it") as sink:
        for at in range(0, len(data), 100_000):
            sink.write(data[at : at + 100_000])


def test_a_disk_that_takes_no_more_ends_it(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("a file where a folder should be", encoding="utf-8")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as new:
        one = tarfile.TarInfo("there/file")
        one.size = 5_000_000
        new.addfile(one, io.BytesIO(bytes(one.size)))
    with pytest.raises(StoreError, match="there"):
        _unpacked(tar.getvalue(), tmp_path)


def test_what_is_no_tar_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="it is no whole tar"):
        _unpacked(b"x" * 5_000_000, tmp_path)
