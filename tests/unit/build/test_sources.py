"""What of an app gets in, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gymops.deploy.build import sources
from gymops.deploy.build.failures import BuildError
from gymops.deploy.build.patterns import matches
from tests.unit.build.making import shop, tree


def paths(folder: Path, **changes: object) -> list[str]:
    return [entry.path for entry in sources.collect(shop(folder, **changes))]


def test_a_package_whole_what_it_imports_and_what_is_named(tmp_path: Path) -> None:
    assert paths(tmp_path / "app") == [
        "helpers/__init__.py",
        "helpers/words.py",
        "migrations/0001.sql",
        "shop/__init__.py",
        "shop/main.py",
        "shop/words.txt",
    ]


def test_imports_in_functions_count_and_those_of_a_type_checker_do_not(tmp_path: Path) -> None:
    tree(
        tmp_path / "app",
        {
            "shop/late.py": """
                from typing import TYPE_CHECKING
                if TYPE_CHECKING:
                    import seldom
                def body():
                    from other import thing
                """,
            "other/__init__.py": "from . import deeper\n",
            "other/deeper.py": "from ..other import thing\nfrom .data import rows\n",
            "other/thing.py": "",
            "other/data/__init__.py": "",
            "other/data/rows.py": "",
            "other/data/rows.sql": "select 1",
            "seldom.py": "",
        },
    )
    found = set(paths(tmp_path / "app"))
    assert {"other/deeper.py", "other/thing.py", "other/data/rows.py", "other/data/rows.sql"} <= found
    assert "seldom.py" not in found


def test_what_is_excluded_is_not_followed_either(tmp_path: Path) -> None:
    tree(tmp_path / "app", {"more.py": "", "shop/other.py": "import between", "between.py": "import more"})
    assert "more.py" in paths(tmp_path / "app")
    found = paths(tmp_path / "app", exclude=("between.py",))
    assert not {"between.py", "more.py"} & set(found)


def test_modules_are_taken_with_what_they_import_and_not_their_package(tmp_path: Path) -> None:
    tree(
        tmp_path / "app",
        {"ops/__init__.py": "", "ops/upgrade.py": "import more", "ops/other.py": "", "more.py": ""},
    )
    found = set(paths(tmp_path / "app", modules=("ops.upgrade",)))
    assert {"ops/__init__.py", "ops/upgrade.py", "more.py"} <= found
    assert "ops/other.py" not in found


def test_caches_tests_and_version_control_never_get_in(tmp_path: Path) -> None:
    tree(
        tmp_path / "app",
        {
            "shop/tests/helper.py": "",
            "tests/data/rows.csv": "",
            "shop/test_main.py": "",
            "shop/conftest.py": "",
            "shop/.git/config": "",
            "shop/.pytest_cache/x": "",
            "shop/node_modules/x/index.js": "",
            "shop/main.py~": "",
        },
    )
    assert paths(tmp_path / "app", files=("**",)) == [
        ".env",
        "README.md",
        "helpers/__init__.py",
        "helpers/unused.py",
        "helpers/words.py",
        "migrations/0001.sql",
        "requirements.lock",
        "shop/__init__.py",
        "shop/main.py",
        "shop/words.txt",
    ]


def test_a_link_inside_is_followed_and_one_that_leads_out_is_refused(tmp_path: Path) -> None:
    app = shop(tmp_path / "app")
    (tmp_path / "app/shop/linked.txt").symlink_to("words.txt")
    entry = next(one for one in sources.collect(app) if one.path == "shop/linked.txt")
    assert entry.read() == b"one\n"
    (tmp_path / "secret.txt").write_text("s")
    (tmp_path / "app/shop/out.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(BuildError, match=r"shop/out.txt: a link that leads out") as error:
        sources.collect(app)
    assert error.value.hint


def test_a_folder_that_is_linked_into_itself(tmp_path: Path) -> None:
    app = shop(tmp_path / "app")
    (tmp_path / "app/shop/again").symlink_to(tmp_path / "app/shop")
    with pytest.raises(BuildError, match="a link to a folder that it lies in"):
        sources.collect(app)


def test_a_dangling_link_a_pipe_and_a_broken_module(tmp_path: Path) -> None:
    app = shop(tmp_path / "app")
    (tmp_path / "app/shop/gone.txt").symlink_to("nowhere.txt")
    with pytest.raises(BuildError, match=r"gone.txt: cannot be read: No such file"):
        sources.collect(app)
    (tmp_path / "app/shop/gone.txt").unlink()
    os.mkfifo(tmp_path / "app/shop/pipe")
    with pytest.raises(BuildError, match="pipe: neither a file nor a folder"):
        sources.collect(app)
    (tmp_path / "app/shop/pipe").unlink()
    (tmp_path / "app/shop/broken.py").write_text("def")
    with pytest.raises(BuildError, match=r"broken.py:1: no Python"):
        sources.collect(app)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = shop(tmp_path / "app")
    entry = next(one for one in sources.collect(app) if one.path == "shop/words.txt")

    def denied(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(BuildError, match=r"words.txt: cannot be read: Permission denied"):
        entry.read()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"packages": ("nothing",)}, "nothing: no such package"),
        ({"files": ("nothing/**",)}, "no file of .* matches"),
        ({"files": ("../**",)}, "leads out of"),
        ({"files": ("/etc/passwd",)}, "leads out of"),
        ({"source": Path("/nowhere/at/all")}, "no such folder"),
    ],
)
def test_what_is_not_there(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    with pytest.raises(BuildError, match=says) as error:
        paths(tmp_path / "app", **changes)
    assert error.value.hint


@pytest.mark.parametrize(
    ("path", "pattern", "meant"),
    [
        ("a/b/c.py", "a/**", True),
        ("a", "a/**", False),
        ("a/b.py", "a/*.py", True),
        ("a/b/c.py", "a/*.py", False),
        ("c.py", "**/c.py", True),
        ("a/b/c.py", "**/c.py", True),
        ("axb", "a.b", False),
        ("a/tests/b", "**/tests/**", True),
        ("atests/b", "**/tests/**", False),
    ],
)
def test_patterns(path: str, pattern: str, meant: bool) -> None:
    assert matches(path, (pattern,)) is meant
