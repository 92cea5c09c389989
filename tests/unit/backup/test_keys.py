"""Keys are made once, private to their owner, or come from the environment."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gymops.backup.keys import IDENTITY, SIGNING, KeyProblem, open_keys
from gymops.backup.signature import verified
from gymops.errors import ConfigError, GymopsError


def test_they_are_made_on_first_use_and_stay(tmp_path: Path) -> None:
    first, second = open_keys(tmp_path / "keys", {}), open_keys(tmp_path / "keys", {})
    assert (first.public, first.recipient) == (second.public, second.recipient)
    assert sorted(file.name for file in (tmp_path / "keys").iterdir()) == ["backup.key", "signing.key"]


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    open_keys(tmp_path / "keys", {})
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "keys").iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["signing.key", "backup.key"])
def test_one_that_others_can_read_is_refused(tmp_path: Path, name: str) -> None:
    open_keys(tmp_path, {})
    (tmp_path / name).chmod(0o640)
    with pytest.raises(KeyProblem, match="read by others") as refused:
        open_keys(tmp_path, {})
    assert refused.value.hint == f"chmod 600 {tmp_path / name}"


def test_those_of_the_environment_are_taken_and_none_are_made(tmp_path: Path) -> None:
    open_keys(tmp_path / "a", {})
    values = {
        SIGNING: (tmp_path / "a" / "signing.key").read_text().strip(),
        IDENTITY: (tmp_path / "a" / "backup.key").read_text().strip(),
    }
    found = open_keys(tmp_path / "b", values)
    assert found.public == open_keys(tmp_path / "a", {}).public
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("name", [SIGNING, IDENTITY])
@pytest.mark.parametrize("value", ["x", "AGE-SECRET-KEY-1AAAA", "AAAA", "é"])
def test_one_that_is_none_is_told_and_not_shown(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_keys(tmp_path, {name: value})
    assert value not in refused.value.message or len(value) == 1
    assert name in refused.value.message


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"nonsense"])
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes) -> None:
    open_keys(tmp_path, {})
    (tmp_path / "signing.key").write_bytes(content)
    with pytest.raises(GymopsError, match=str(tmp_path)):
        open_keys(tmp_path, {})


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyProblem, match=r"Not a directory|File exists"):
        open_keys(tmp_path / "file" / "keys", {})


def test_a_signature_holds_for_its_bytes_and_its_key_only(tmp_path: Path) -> None:
    keys, other = open_keys(tmp_path / "a", {}), open_keys(tmp_path / "b", {})
    signature = keys.sign(b"this")
    assert verified(keys.public, b"this", signature)
    assert not verified(keys.public, b"that", signature)
    assert not verified(other.public, b"this", signature)
    assert not verified("no key", b"this", signature)
    assert not verified(keys.public, b"this", "no signature")


_OPEN = """
import sys
from pathlib import Path
from gymops.backup.keys import open_keys
sys.stdin.readline()
found = open_keys(Path(sys.argv[1]), {})
print(found.public, found.recipient)
"""


def test_of_several_that_make_them_at_once_all_have_the_same(tmp_path: Path) -> None:
    made = [
        subprocess.Popen(
            [sys.executable, "-c", _OPEN, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for one in made:
        assert one.stdin
        one.stdin.write("\n")
        one.stdin.flush()
    assert len({one.communicate(timeout=60)[0] for one in made}) == 1
    assert len(list(tmp_path.iterdir())) == 2
