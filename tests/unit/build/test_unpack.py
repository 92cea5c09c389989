"""A wheel's files, without an installer's traces."""

from __future__ import annotations

from pathlib import Path

import pytest

from gymops.deploy.artefact import Arch
from gymops.deploy.build import unpack
from gymops.deploy.build.failures import BuildError
from gymops.deploy.build.target import Target
from tests.unit.build.making import wheel

INTEL = Target.of("zip", "x86_64", "3.12")


def library(arch: Arch) -> bytes:
    """As much of a shared library as says for which machine it is."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0" + {"x86_64": b"\x3e\0", "arm64": b"\xb7\0"}[arch]


def test_no_scripts_byte_code_or_tests_and_a_record_of_what_is_there(tmp_path: Path) -> None:
    path = wheel(
        tmp_path,
        "thing",
        files={
            "thing/__pycache__/x.pyc": b"",
            "thing/tests/test_x.py": b"",
            "thing-1.0.data/scripts/run": b"#!python\n",
            "thing-1.0.data/headers/thing.h": b"",
            "thing-1.0.data/purelib/placed/deep.py": b"1",
            "thing/a,b.txt": b"2",
        },
    )
    found = {entry.path: entry.read() for entry in unpack.entries([path], INTEL)}
    assert set(found) == {
        "placed/deep.py",
        "thing/__init__.py",
        "thing/a,b.txt",
        "thing-1.0.dist-info/METADATA",
        "thing-1.0.dist-info/RECORD",
        "thing-1.0.dist-info/WHEEL",
    }
    record = found["thing-1.0.dist-info/RECORD"].decode().splitlines()
    assert record[0] == "placed/deep.py,sha256=a4ayc_80_OGda4BO_1o_V0etpOqiLx1JwB5S3beHW0s,1"
    assert '"thing/a,b.txt",sha256=' in "\n".join(record)
    assert record[-1] == "thing-1.0.dist-info/RECORD,,"
    assert len(record) == len(found)


def test_a_library_for_another_machine(tmp_path: Path) -> None:
    good = wheel(tmp_path, "good", files={"good/x.cpython-312.so": library("x86_64")})
    assert unpack.entries([good], INTEL)
    bad = wheel(tmp_path, "bad", files={"bad/x.so.1.2": library("arm64")})
    with pytest.raises(BuildError, match=r"bad/x.so.1.2, which is not for x86_64"):
        unpack.entries([bad], INTEL)


def test_a_path_that_leads_out(tmp_path: Path) -> None:
    for path in ("../out.py", "/etc/out.py", "evil-1.0.data/purelib/../../out.py"):
        with pytest.raises(BuildError, match="a path that leads out"):
            unpack.entries([wheel(tmp_path, "evil", files={path: b""})], INTEL)


def test_two_wheels_with_one_file(tmp_path: Path) -> None:
    one = wheel(tmp_path, "one", files={"shared/__init__.py": b""})
    two = wheel(tmp_path, "two", files={"shared/__init__.py": b""})
    assert unpack.entries([one, two], INTEL)
    three = wheel(tmp_path, "three", files={"shared/__init__.py": b"other"})
    with pytest.raises(BuildError, match=r"three.* brings shared/__init__.py, and so does another"):
        unpack.entries([one, three], INTEL)


def test_a_damaged_wheel(tmp_path: Path) -> None:
    path = wheel(tmp_path, "thing")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BuildError, match="cannot be read") as error:
        unpack.entries([path], INTEL)
    assert error.value.hint == f"delete it and build again: rm {path}"


def test_a_lock_that_lacks_what_the_target_needs(tmp_path: Path) -> None:
    needing = wheel(
        tmp_path, "needing", requires=["other>=1", "old ; python_version < '3.12'", "x ; extra == 'y'"]
    )
    other = wheel(tmp_path, "other")
    unpack.check_whole([needing, other], INTEL)
    with pytest.raises(BuildError, match="needing needs other, which the lock lacks"):
        unpack.check_whole([needing], INTEL)
    with pytest.raises(BuildError, match=r"needing needs other, which \[app\] leaves out"):
        unpack.check_whole([needing], INTEL, ["Other"])
    with pytest.raises(BuildError, match="needing needs old"):
        unpack.check_whole([needing, other], Target.of("zip", "x86_64", "3.11"))
