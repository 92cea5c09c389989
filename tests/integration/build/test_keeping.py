"""Where artefacts are kept: old ones go, and neither a crash nor a second build leaves half of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from gymops.config import App
from gymops.deploy.artefact import RECORD, load, verify
from gymops.deploy.build import Built, build_zip, store
from tests.unit.build.making import places, shop, tree

ROOT = Path(__file__).parents[3]


def prepared(tmp_path: Path, text: str, name: str = "shop") -> App:
    """An app of its own for every text."""
    app = shop(tmp_path / name / text, name=name, lock=tmp_path / "app" / "requirements.lock")
    tree(tmp_path / name / text, {"shop/words.txt": text})
    return app


def made(tmp_path: Path, text: str, *, newest: int | None = None, name: str = "shop") -> Built:
    """Its artefact."""
    return build_zip(prepared(tmp_path, text, name), "arm64", replace(places(tmp_path), newest=newest))


def aged(built: Built, seconds: float) -> Built:
    """As if it had been built that long ago."""
    record = built.folder / RECORD
    os.utime(record, (record.stat().st_mtime - seconds,) * 2)
    return built


def shown(tmp_path: Path) -> set[Path]:
    """Every folder that is taken for an artefact; each must be whole."""
    folders = {folder for folder in (tmp_path / "out").iterdir() if not folder.name.startswith(".")}
    for folder in folders:
        verify(folder)
    return folders


@pytest.fixture(autouse=True)
def one_lock(tmp_path: Path) -> None:
    shop(tmp_path / "app")


def test_the_newest_of_an_app_stay_and_what_is_to_be_kept(tmp_path: Path) -> None:
    other = aged(made(tmp_path, "o", name="other"), 900)
    oldest, kept, old, built_again = (aged(made(tmp_path, text), 500 - at) for at, text in enumerate("abcd"))
    (kept.folder / store.KEEP).touch()
    (tmp_path / "out" / "notes").mkdir()
    assert made(tmp_path, "d").folder == built_again.folder
    newest = made(tmp_path, "e", newest=2)
    assert not oldest.folder.exists()
    assert not old.folder.exists()
    (tmp_path / "out" / "notes").rmdir()
    assert shown(tmp_path) == {other.folder, kept.folder, built_again.folder, newest.folder}
    assert [file.name for file in (tmp_path / "out").iterdir() if file.name.startswith(".")] == [".lock"]


def test_what_was_just_built_is_never_the_oldest(tmp_path: Path) -> None:
    """A clock that went back, or another build in the same moment."""
    later = aged(made(tmp_path, "a"), -900)
    assert made(tmp_path, "b", newest=1).folder in shown(tmp_path)
    assert later.folder in shown(tmp_path)


def test_where_it_was_pushed_is_not_forgotten(tmp_path: Path) -> None:
    built = made(tmp_path, "a")
    store.write_record(built.folder, replace(built.artefact, pushed=("host/shop@sha256:1",)))
    made(tmp_path, "a")
    assert load(built.folder).pushed == ("host/shop@sha256:1",)


def test_many_at_once(tmp_path: Path) -> None:
    made(tmp_path, "first")  # the wheels are in the cache
    apps = [prepared(tmp_path, text) for text in "abc"]
    where = replace(places(tmp_path), newest=2)
    with ThreadPoolExecutor(8) as pool:
        built = list(pool.map(lambda at: build_zip(apps[at % 3], "arm64", where), range(12)))
    assert len({one.artefact.digest for one in built}) == 3
    assert len(shown(tmp_path)) == 2


_KILLED = """
import os, signal, sys
from pathlib import Path
from gymops.deploy.build import pack, store
from tests.integration.build.test_keeping import made

def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
def after(holder, name):
    original = getattr(holder, name)
    setattr(holder, name, lambda *given, **named: (original(*given, **named), die()))

{how}
made(Path(sys.argv[1]), "new", newest=1)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    "how",
    [
        "from gymops.deploy import build; after(build, 'write_zip')",
        "Path.replace = die",
        "after(store, 'write_record')",
        "after(Path, 'rename')",
        "store.sweep = die",
        "store.shutil.rmtree = die",
    ],
    ids=["one zip written", "record unnamed", "record named", "in its place", "not swept", "half swept"],
)
def test_killed_at_any_moment_what_stands_there_is_whole(tmp_path: Path, how: str) -> None:
    old = aged(made(tmp_path, "old"), 900)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _KILLED.format(how=how), str(tmp_path)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert shown(tmp_path)
    new = made(tmp_path, "new", newest=1)
    assert shown(tmp_path) == {new.folder}
    assert not old.folder.exists()


def test_half_of_one_is_replaced_whole(tmp_path: Path) -> None:
    built = made(tmp_path, "a")
    (built.folder / "layer.zip").write_bytes(b"half")
    assert made(tmp_path, "a").folder == built.folder
    assert shown(tmp_path) == {built.folder}
