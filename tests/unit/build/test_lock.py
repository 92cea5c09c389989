"""A lock is read for the target, and every line of it must pin by hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from gymops.deploy.build import lock
from gymops.deploy.build.failures import BuildError
from gymops.deploy.build.target import Target
from gymops.errors import ConfigError

HASH = f"--hash=sha256:{'a' * 64}"
ARM = Target.of("zip", "arm64", "3.12")


def read(tmp_path: Path, text: str, target: Target = ARM, without: tuple[str, ...] = ()) -> list[lock.Pin]:
    file = tmp_path / "requirements.lock"
    file.write_text(text, encoding="utf-8")
    return lock.read(file, target, without)


def test_pins_by_name_with_all_their_hashes(tmp_path: Path) -> None:
    text = f"# made by\nZope.Interface==1.0 \\\n    {HASH} \\\n    --hash=sha256:{'b' * 64}\n"
    text += f"    # via x\nabc==2 {HASH}\n"
    found = read(tmp_path, text)
    assert [(pin.name, pin.version) for pin in found] == [("abc", "2"), ("zope-interface", "1.0")]
    assert found[1].hashes == {"a" * 64, "b" * 64}
    assert found[0].line == f"abc==2 {HASH}"


def test_markers_are_asked_of_the_target_and_not_of_this_machine(tmp_path: Path) -> None:
    text = "".join(
        f"{name}==1 ; {marker} {HASH}\n"
        for name, marker in {
            "linux": "sys_platform == 'linux'",
            "mac": "sys_platform == 'darwin'",
            "arm": "platform_machine == 'aarch64'",
            "intel": "platform_machine == 'x86_64'",
            "old": "python_version < '3.12'",
        }.items()
    )
    assert [pin.name for pin in read(tmp_path, text)] == ["arm", "linux"]
    intel = Target.of("zip", "x86_64", "3.11")
    assert [pin.name for pin in read(tmp_path, text, intel)] == ["intel", "linux", "old"]


def test_what_is_left_out_must_be_there(tmp_path: Path) -> None:
    assert read(tmp_path, f"a==1 {HASH}\nb==1 {HASH}", without=("B",))[0].name == "a"
    with pytest.raises(BuildError, match="has no c, which") as error:
        read(tmp_path, f"a==1 {HASH}", without=("c",))
    assert error.value.hint


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a==1", "a has no sha256 hash"),
        (f"a>=1 {HASH}", "a is not pinned"),
        (f"a==1.* {HASH}", "a is not pinned"),
        (f"a @ https://host/a.whl {HASH}", "a is not pinned"),
        ("--index-url https://host/simple", "does not pin one package"),
        ("-r other.txt", "does not pin one package"),
        (f"a==1 --hash=md5:{'a' * 32}", "does not pin one package"),
        (f"a==1 {HASH}\na==2 {HASH}", "a is pinned twice"),
    ],
)
def test_what_is_no_lock(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(BuildError, match=says) as error:
        read(tmp_path, line)
    assert error.value.hint


def test_a_lock_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"gone.lock: No such file"):
        lock.read(tmp_path / "gone.lock", ARM)


def test_a_zip_for_an_old_runtime_takes_old_wheels_only() -> None:
    assert "manylinux_2_28_aarch64" not in Target.of("zip", "arm64", "3.11").tags()
    assert Target.of("image", "arm64", "3.11").tags()[0] == "manylinux_2_34_aarch64"
    assert "manylinux2014_x86_64" in Target.of("zip", "x86_64", "3.12").tags()


@pytest.mark.parametrize("python", ["3.9", "2.7", "3", "3.12.1", "three"])
def test_pythons_that_are_none(python: str) -> None:
    with pytest.raises(ConfigError, match=r"a Python of 3\.11 or later"):
        Target.of("zip", "arm64", python)
