"""A zip and its layer: built twice it is the same, and it runs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gymops.deploy import artefact as artefacts
from gymops.deploy.artefact import ArtefactError
from gymops.deploy.build import Built, build_zip, wheels
from gymops.deploy.build.failures import BuildError
from gymops.deploy.build.zipping import ZipWriter
from gymops.errors import GateRefused
from tests.unit.build.making import places, shop, tree, wheel


@contextmanager
def other_circumstances() -> Iterator[None]:
    """Another umask, time zone and locale."""
    mask = os.umask(0o077)
    before = {name: os.environ.get(name) for name in ("TZ", "LC_ALL", "LANG")}
    os.environ.update(TZ="Pacific/Kiritimati", LC_ALL="C.UTF-8", LANG="de_DE.UTF-8")
    time.tzset()
    try:
        yield
    finally:
        os.umask(mask)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        time.tzset()


def two(tmp_path: Path) -> tuple[Built, Built]:
    """The same app in two directories, the second one made in another order, later, by another account."""
    first = build_zip(shop(tmp_path / "one" / "app"), "arm64", places(tmp_path / "one"))
    with other_circumstances():
        app = shop(tmp_path / "two" / "deeper" / "app")
        moved = tmp_path / "two" / "deeper" / "app" / "shop"
        for name in ("words.txt", "main.py", "__init__.py"):
            data = (moved / name).read_bytes()
            (moved / name).unlink()
            (moved / name).write_bytes(data)
            os.utime(moved / name, (1, 2**31))
        second = build_zip(app, "arm64", places(tmp_path / "two"))
    return first, second


@pytest.fixture(autouse=True)
def index_of_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / "index", tmp_path / "one" / "index", tmp_path / "two" / "deeper" / "index"]
    monkeypatch.setenv("PIP_FIND_LINKS", " ".join(map(str, folders)))


def test_from_two_directories_one_digest(tmp_path: Path) -> None:
    first, second = two(tmp_path)
    assert first.artefact.digest == second.artefact.digest
    assert first.artefact.contents == second.artefact.contents
    for name in ("app.zip", "layer.zip"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


def test_another_source_lock_or_platform_is_another_digest(tmp_path: Path) -> None:
    app = shop(tmp_path / "app")
    where = places(tmp_path)
    before = build_zip(app, "arm64", where).artefact
    assert build_zip(app, "x86_64", where).artefact.digest != before.digest
    (tmp_path / "app/helpers/words.py").write_text("WORD = 'other'\n")
    after = build_zip(app, "arm64", where).artefact
    assert (after.digest == before.digest, after.sources == before.sources, after.lock == before.lock) == (
        False,
        False,
        True,
    )


def test_it_runs_in_a_fresh_interpreter(tmp_path: Path) -> None:
    built = build_zip(shop(tmp_path / "app"), None, places(tmp_path))
    for name in ("app.zip", "layer.zip"):
        with zipfile.ZipFile(built.folder / name) as archive:
            archive.extractall(tmp_path / "opt")
    program = (
        f"import sys; sys.path[:0] = {[str(tmp_path / 'opt'), str(tmp_path / 'opt/python')]}\n"
        "import json; from shop.main import handler; print(json.dumps(handler({'a': 1}, None)))"
    )
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout) == {"said": "hello 1.0", "event": {"a": 1}}


def test_the_record_says_what_it_is_and_is_checked(tmp_path: Path) -> None:
    built = build_zip(shop(tmp_path / "app"), "arm64", places(tmp_path, {"SOURCE_DATE_EPOCH": "86400"}))
    found = artefacts.verify(built.folder)
    assert found == built.artefact
    assert (found.created, found.kind, found.arch, found.python) == (
        "1970-01-02T00:00:00+00:00",
        "zip",
        "arm64",
        "3.12",
    )
    assert [file.path for file in found.files][-3:] == [
        "python/greeting-1.0.dist-info/RECORD",
        "python/greeting-1.0.dist-info/WHEEL",
        "python/greeting/__init__.py",
    ]
    assert found.commit is None
    plain = hashlib.sha256((built.folder / "app.zip").read_bytes()).digest()
    assert found.blob("app.zip").code_sha256 == base64.b64encode(plain).decode()
    (built.folder / "app.zip").write_bytes(b"other")
    with pytest.raises(ArtefactError, match=r"app.zip: is not what was built"):
        artefacts.verify(built.folder)
    again = build_zip(shop(tmp_path / "app"), "arm64", places(tmp_path))
    assert again.folder == built.folder
    assert artefacts.verify(again.folder).created is None


def test_git_says_when_and_whether_the_sources_differ(tmp_path: Path) -> None:
    app = shop(tmp_path / "app")

    def git(*arguments: str) -> None:
        known = ["-c", "user.name=a", "-c", "user.email=a@b"]
        environ = {**os.environ, "GIT_COMMITTER_DATE": "@1000000000 +0300"}
        subprocess.run(
            ["git", "-C", str(app.source), *known, *arguments], check=True, env=environ, capture_output=True
        )

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    clean = build_zip(app, "arm64", places(tmp_path)).artefact
    assert (clean.created, clean.dirty) == ("2001-09-09T01:46:40+00:00", False)
    assert clean.commit is not None
    (app.source / "README.md").write_text("of no consequence\n")
    assert build_zip(app, "arm64", places(tmp_path)).artefact.dirty is False
    (app.source / "shop/words.txt").write_text("other\n")
    changed = build_zip(app, "arm64", places(tmp_path)).artefact
    assert changed.dirty is True
    assert changed.digest != clean.digest


def test_a_second_build_asks_no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, where = shop(tmp_path / "app"), places(tmp_path)
    assert build_zip(app, "arm64", where).downloaded == 1

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(wheels, "_run", never)
    assert build_zip(app, "arm64", where).downloaded == 0


def test_a_wheel_in_the_cache_that_is_another_is_not_used(tmp_path: Path) -> None:
    app, where = shop(tmp_path / "app"), places(tmp_path)
    before = build_zip(app, "arm64", where).artefact.digest
    (kept,) = (tmp_path / "cache").rglob("*.whl")
    wheel(kept.parent, "greeting", files={"greeting/evil.py": b""})
    again = build_zip(app, "arm64", where)
    assert (again.artefact.digest, again.downloaded) == (before, 1)


def test_a_wheel_that_the_index_lacks_or_has_changed(tmp_path: Path, own_index: Path) -> None:
    app = shop(tmp_path / "app")
    wheel(own_index, "greeting", files={"greeting/evil.py": b""})
    with pytest.raises(BuildError, match="another hash than was locked") as error:
        build_zip(app, "arm64", places(tmp_path))
    assert error.value.hint
    (own_index / "greeting-1.0-py3-none-any.whl").unlink()
    wheel(own_index, "greeting", tag="cp312-cp312-macosx_11_0_arm64")
    with pytest.raises(BuildError, match=r"no wheel of greeting==1.0 .* for Python 3.12 on arm64") as error:
        build_zip(app, "arm64", places(tmp_path))
    assert not (tmp_path / "out").exists()


def test_without_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_index: Path) -> None:
    app = shop(tmp_path / "app")
    (own_index / "greeting-1.0-py3-none-any.whl").unlink()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(
        BuildError, match=r"cannot be reached, and the cache lacks 1 wheels: greeting 1.0"
    ) as error:
        build_zip(app, "arm64", places(tmp_path))
    assert error.value.hint


def test_a_secret_stops_it_and_nothing_is_left(tmp_path: Path) -> None:
    app = shop(tmp_path / "app")
    tree(tmp_path / "app", {"shop/.env": "A=1"})
    with pytest.raises(GateRefused, match=r"shop/.env: by its name"):
        build_zip(app, "arm64", places(tmp_path))
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = shop(tmp_path / "app")
    build_zip(app, "arm64", places(tmp_path))
    kept = sorted((tmp_path / "out").rglob("*"))
    (tmp_path / "app/shop/words.txt").write_text("changed")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ZipWriter, "end", full)
    with pytest.raises(BuildError, match="no space is left"):
        build_zip(app, "arm64", places(tmp_path))
    assert sorted((tmp_path / "out").rglob("*")) == kept


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file is in the way")
    with pytest.raises(BuildError, match=r"out: "):
        build_zip(shop(tmp_path / "app"), "arm64", places(tmp_path))
