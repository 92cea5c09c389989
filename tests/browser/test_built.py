"""The files that users get are what the sources give."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import gymops.app.web

WEB = Path(gymops.app.web.__file__).parent
SOURCE, STATIC = WEB / "source", WEB / "static"


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.long
def test_the_built_files_are_what_the_sources_give(tmp_path: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("Node is not installed: the built files cannot be built again")
    copy = tmp_path / "source"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules"))
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    installed = subprocess.run(
        [npm, "ci", *options],
        cwd=copy,
        env=os.environ | {"CI": "1"},
        capture_output=True,
        timeout=240,
        check=False,
    )
    if installed.returncode and b"in sync" not in installed.stderr:
        pytest.skip("npm ci found no registry to install from: " + installed.stderr.decode()[:200])
    assert installed.returncode == 0, installed.stderr.decode()
    subprocess.run([node, "build.mjs", str(tmp_path / "static")], cwd=copy, check=True, timeout=120)
    built, kept = files(tmp_path / "static"), files(STATIC)
    assert sorted(built) == sorted(kept)
    differing = [name for name in built if built[name] != kept[name]]
    assert differing == [], "run npm ci && npm run build in gymops/app/web/source"


def test_the_lock_names_no_registry() -> None:
    assert '"resolved"' not in (SOURCE / "package-lock.json").read_text(encoding="utf-8")


def test_the_vendored_files_keep_their_licences() -> None:
    alpine = (STATIC / "alpine.js").read_text(encoding="utf-8")
    assert alpine.startswith("/*! Alpine.js")
    assert "Permission is hereby granted" in alpine
    assert "Vue contributors" in alpine
    assert "MIT License" in (STATIC / "app.css").read_text(encoding="utf-8")[:200]
    axe = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    assert "Mozilla Public" in axe[:500]
