"""``gymops init`` as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from gymops import resources

TEMPLATE = (resources.path("templates") / "gymops.toml").read_text(encoding="utf-8")


def gymops(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GYMOPS_")}
    done = subprocess.run(
        [sys.executable, "-m", "gymops", *arguments],
        cwd=folder, env=plain, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


def test_it_writes_a_commented_file_once(tmp_path: Path) -> None:
    file = tmp_path / "gymops.toml"
    done = gymops(tmp_path, "init")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"wrote {file}\nnext: gymops migrate SOURCE --plan\n"
    assert file.read_text(encoding="utf-8") == TEMPLATE

    file.write_text("# mine\n", encoding="utf-8")
    again = gymops(tmp_path, "init")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith("error: gymops.toml exists and is not overwritten\nhint:  ")
    assert file.read_text(encoding="utf-8") == "# mine\n"


def test_json(tmp_path: Path) -> None:
    done = gymops(tmp_path, "init", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"written": str(tmp_path / "gymops.toml")}
    again = gymops(tmp_path, "init", "--json")
    assert (again.returncode, again.stderr) == (2, "")
    error = json.loads(again.stdout)
    assert set(error) == {"error"}
    assert set(error["error"]) == {"code", "message", "hint"}
    assert error["error"]["code"] == "configuration"


def test_a_link_to_nothing_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "gymops.toml").symlink_to(tmp_path / "elsewhere")
    assert gymops(tmp_path, "init").returncode == 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_directory_that_went_away(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    script = "import os, sys; os.rmdir(os.getcwd()); from gymops.cli import main; main(['init'])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: gymops.toml: cannot be written: No such file or directory\nhint:")


def test_a_workflow_is_written_once_for_the_environments_that_are_there(tmp_path: Path) -> None:
    written = '[environments.dev]\nprofile = "d"\n[environments.live]\nafter = "dev"\nprofile = "l"\n'
    (tmp_path / "gymops.toml").write_text(written, encoding="utf-8")
    done = gymops(tmp_path, "init", "--ci", "github", "--json")
    file = tmp_path / ".github" / "workflows" / "gymops.yml"
    assert (done.returncode, json.loads(done.stdout)) == (0, {"written": str(file)})
    assert 'gymops promote "dev" "live"' in file.read_text(encoding="utf-8")
    again = gymops(tmp_path, "init", "--ci", "github")
    assert (again.returncode, "is not overwritten" in again.stderr) == (2, True)
    assert gymops(tmp_path, "init", "--ci", "github", "--architecture", "titan-trakr").returncode == 2
