"""What ``gymops --help`` imports: everybody waits for it, at each command."""

from __future__ import annotations

import json
import subprocess
import sys

OURS = {"gymops", "gymops.cli", "gymops.cli.output", "gymops.errors"}
FEW = {"fnmatch", "json", "locale", "shutil", "signal", "textwrap"} | {"bz2", "lzma", "zlib"}
"""Of the standard library: click's own help takes most of them, and ``shutil`` three."""
HEAVY = {
    "alembic", "boto3", "botocore", "cfnlint", "fastapi", "importlib.metadata", "psycopg", "pydantic", "rich",
    "sqlalchemy", "yaml",
}  # fmt: skip


def modules(statement: str) -> set[str]:
    """All that a fresh interpreter has imported at the end."""
    listed = "import sys; found = list(sys.modules); import json; print(json.dumps(found))"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\n{listed}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return set(found)


def gymops(*arguments: str) -> str:
    """A command as a statement."""
    return f"from gymops.cli import main\ntry: main({list(arguments)})\nexcept SystemExit: pass"


def test_help_imports_click_and_little_else() -> None:
    found = modules(gymops("--help")) - modules("import click")
    ours = {name for name in found if name.partition(".")[0] == "gymops"}
    assert ours == OURS
    others = {name.partition(".")[0] for name in found - ours if not name.startswith("_")}
    assert others <= FEW | {"click"}


def test_a_verb_imports_its_own_module_and_no_other_verb() -> None:
    found = modules(gymops("build", "--help"))
    assert "gymops.cli.build" in found
    assert found & (HEAVY | {"gymops.cli.migrate", "gymops.deploy"}) == set()


def test_a_release_of_no_image_imports_nothing_of_registries() -> None:
    found = modules("import gymops.cli.deploy, gymops.cli.sites, gymops.deploy.verbs.deploy")
    assert found & (HEAVY | {"gymops.deploy.build.registry", "oras", "requests"}) <= {"yaml"}
