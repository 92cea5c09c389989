"""The same files make the same bytes, whatever the disk, the clock and the account say of them."""

from __future__ import annotations

import errno
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from gymops.deploy.build import limits, unpack, zipping
from gymops.deploy.build.entry import Entry, under
from gymops.deploy.build.failures import BuildError
from gymops.deploy.build.pack import write_layer, write_zip
from gymops.deploy.build.target import Target
from tests.unit.build.making import wheel

FILES = [
    Entry("b/run", lambda: b"#!/bin/sh\n", executable=True),
    Entry("a.txt", lambda: b"a" * 1000),
    Entry("b/ü.txt", lambda: b""),
]


def test_order_does_not_matter_and_nothing_of_the_disk_gets_in(tmp_path: Path) -> None:
    for write in (write_zip, write_layer):
        first = write(tmp_path / "x", FILES)
        before = os.umask(0o077)
        try:
            second = write(tmp_path / "y", reversed(FILES))
        finally:
            os.umask(before)
        assert first.blob.digest == second.blob.digest
        assert first.files == second.files
        assert first.blob.unpacked == 1010


def test_a_zip_has_the_rights_that_every_account_needs(tmp_path: Path) -> None:
    write_zip(tmp_path / "x.zip", FILES)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        rights = {one.filename: one.external_attr >> 16 & 0o777 for one in archive.infolist()}
        assert rights == {"a.txt": 0o644, "b/run": 0o755, "b/ü.txt": 0o644}
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.testzip() is None
        assert archive.read("a.txt") == b"a" * 1000


def test_what_a_wheel_compressed_is_not_compressed_again(tmp_path: Path) -> None:
    path = wheel(tmp_path, "thing", files={"thing/long.txt": b"a" * 100_000, "thing/ü.txt": b"1"})
    write_zip(tmp_path / "x.zip", unpack.entries([path], Target.of("zip", "arm64", "3.12")))
    with zipfile.ZipFile(tmp_path / "x.zip") as archive, zipfile.ZipFile(path) as before:
        assert archive.testzip() is None
        assert archive.read("thing/long.txt") == b"a" * 100_000
        assert archive.read("thing/ü.txt") == b"1"
        packed = archive.getinfo("thing/long.txt")
        assert packed.compress_size == before.getinfo("thing/long.txt").compress_size < 1000
        assert "thing-1.0.dist-info/RECORD" in archive.namelist()


def test_more_than_a_zip_can_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipping, "_MOST_FILES", 2)
    with pytest.raises(BuildError, match="65,534 files") as error:
        write_zip(tmp_path / "x.zip", FILES)
    assert error.value.hint


def test_a_layer_has_its_folders_no_owner_and_no_time(tmp_path: Path) -> None:
    packed = write_layer(tmp_path / "x", under("opt/app", FILES))
    with tarfile.open(tmp_path / "x") as archive:
        members = archive.getmembers()
    assert [one.name for one in members] == [
        "opt",
        "opt/app",
        "opt/app/a.txt",
        "opt/app/b",
        "opt/app/b/run",
        "opt/app/b/ü.txt",
    ]
    assert {(one.uid, one.gid, one.uname, one.mtime) for one in members} == {(0, 0, "", 0)}
    assert [one.mode for one in members if one.isdir()] == [0o755] * 3
    assert packed.diff_id.startswith("sha256:")
    assert packed.diff_id != packed.blob.digest


def test_a_full_disk(tmp_path: Path) -> None:
    def full() -> bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for write in (write_zip, write_layer):
        with pytest.raises(BuildError, match="no space is left on this disk") as error:
            write(tmp_path / "x", [Entry("a", full)])
        assert error.value.hint


def test_what_lambda_does_not_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = write_zip(tmp_path / "x.zip", [*FILES, Entry("c/d/e", lambda: os.urandom(5000))])
    assert limits.check_zip([packed]) == []
    monkeypatch.setattr(limits, "DIRECT", 100)
    assert limits.check_zip([packed]) == ["x.zip has 0.0 MB: over 0.0 MB it goes by way of S3"]
    monkeypatch.setattr(limits, "UNPACKED", 5000)
    with pytest.raises(BuildError, match=r"and Lambda takes 0.0 MB: c/d 0.0 MB, a.txt") as error:
        limits.check_zip([packed])
    assert error.value.hint is not None
    assert "--kind image" in error.value.hint
