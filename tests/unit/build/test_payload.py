"""What of gymops gets into the tracker's artefact: enough to run, and nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from gymops.cli.payload import payload
from gymops.config import Settings
from gymops.deploy.build import lock, secrets, sources
from gymops.deploy.build.entry import Entry
from gymops.deploy.build.target import Target


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return sources.collect(payload())


def test_the_app_what_it_imports_and_the_migrations(entries: list[Entry]) -> None:
    found = {entry.path for entry in entries}
    assert {
        "gymops/app/handler.py",
        "gymops/app/exercises.json",
        "gymops/app/web/static/index.html",
        "gymops/aws/secrets.py",
        "gymops/cli/schema.py",
        "gymops/pg/schema.py",
        "migrations/env.py",
        "migrations/versions/0001_event_log.py",
    } <= found


def test_no_page_sources_no_tests_and_nothing_of_what_builds_and_deploys(entries: list[Entry]) -> None:
    for entry in entries:
        parts = entry.path.split("/")
        assert "source" not in parts, entry.path
        assert not {"tests", "__pycache__", "deploy", "migrate", "local"} & set(parts), entry.path
        assert parts[0] in {"gymops", "migrations"}, entry.path


def test_of_backups_it_has_what_looks_and_proves_and_nothing_that_takes_restores_or_has_keys(
    entries: list[Entry],
) -> None:
    paths = {entry.path.removeprefix("gymops/backup/") for entry in entries}
    assert {"audit.py", "declared.py", "gather_rds.py", "managed/proving.py", "telling.py"} <= paths
    assert not {"keys.py", "wrapped.py", "take.py", "prune.py", "restore.py", "stream.py"} & paths
    assert not {"managed/backups.py", "managed/taking.py", "managed/restoring.py"} & paths
    assert "gymops/scheduled.py" in paths


def test_nothing_in_it_looks_like_a_secret(entries: list[Entry]) -> None:
    secrets.refuse(entries)


def test_what_is_left_out_of_the_lock_is_in_it(entries: list[Entry]) -> None:
    app = payload()
    left = [*app.without, *app.zip_without]
    names = {pin.name for pin in lock.read(app.lock, Target.of("zip", "arm64", "3.12"), left)}
    assert {"fastapi", "mangum", "psycopg-binary", "alembic", "boto3"} <= names
    assert not names & set(left)


def test_all_it_imports_of_others_is_locked_for_it(entries: list[Entry]) -> None:
    app = payload()
    names = {pin.name for pin in lock.read(app.lock, Target.of("image", "arm64", "3.12"))}
    installed = packages_distributions()
    for entry in entries:
        for top in imported(entry):
            if top in sys.stdlib_module_names or top in {"gymops", "migrations"}:
                continue
            found = {str(canonicalize_name(name)) for name in installed[top]}
            assert found & names, f"{entry.path} imports {top}: add it to requirements-image.in"


def imported(entry: Entry) -> set[str]:
    """The top-level modules a file imports, wherever in it."""
    if not entry.path.endswith(".py"):
        return set()
    found = set()
    for node in ast.walk(ast.parse(entry.read())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize(
    "module",
    [
        "gymops.app.handler",
        "gymops.app.entry",
        "gymops.app.store.postgres",
        "gymops.cli.schema",
        "gymops.pg.schema",
    ],
)
def test_it_is_whole(entries: list[Entry], tmp_path: Path, module: str) -> None:
    for entry in entries:
        file = tmp_path / entry.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entry.read())
    installed = next(path for path in sys.path if path.endswith("site-packages"))
    found = [str(tmp_path), installed]
    program = f"import sys; sys.path[:0] = {found}; import {module} as it; print(it.__file__)"
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith(str(tmp_path))


def test_gymops_toml_names_another(tmp_path: Path) -> None:
    from gymops import config
    from gymops.cli.payload import app

    file = tmp_path / "gymops.toml"
    file.write_text('[app]\npackage = "shop"\nhandler = "shop.main.handler"\n', encoding="utf-8")
    assert app(config.load(file, environ={})).packages == ("shop",)
    assert app(Settings()).name == "titan-trakr"
    file.write_text('[app]\nkind = "image"\nbase = "python@sha256:1"\n', encoding="utf-8")
    of_a_kind = app(config.load(file, environ={}))
    assert (of_a_kind.name, of_a_kind.kind, of_a_kind.base) == ("titan-trakr", "image", "python@sha256:1")
    assert of_a_kind.packages == app(Settings()).packages
