"""An environment in accounts of its own, and the artefact that runs in it, built for this machine."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.stacks.environment import Environment, shipped
from tests.integration.stacks.updates import LIVES
from tests.local_aws import Aws


@pytest.fixture(scope="session")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracker's zip and layer; wheels come from the package index, once."""
    folder = tmp_path_factory.mktemp("artefact")
    command = [sys.executable, "-m", "gymops", "build", "--arch", "host", "--json", "--out", str(folder)]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    if built.returncode and "index" in built.stdout:
        pytest.skip(f"the artefact's wheels cannot be had: {built.stdout}")
    assert built.returncode == 0, built.stdout + built.stderr
    return Path(folder, json.loads(built.stdout)["folder"])


@pytest.fixture
def hollow(tmp_path: Path) -> Path:
    """A zip and a layer in the tracker's place, for stacks whose functions nobody calls."""
    blobs = []
    for name in "app.zip", "layer.zip":
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            file.writestr(f"{name}.py", "")
        digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        blobs.append({"name": name, "digest": f"sha256:{digest}"})
    built = {"blobs": blobs, "arch": "arm64", "python": f"3.{sys.version_info.minor}"}
    (tmp_path / "artefact.json").write_text(json.dumps(built), encoding="utf-8")
    return tmp_path


@pytest.fixture
def make(aws: Aws, request: pytest.FixtureRequest) -> Callable[..., Environment]:
    """All stacks of an environment, in an account where nothing else is."""

    def make(name: str, of: str = "titan-trakr", artefact: Path | None = None) -> Environment:
        life = LIVES[of]
        if not life.zipped:
            artefact = None
        elif artefact is None:
            artefact = request.getfixturevalue("artefact")
        given = {**shipped(of).environments[name], **life.environments[name]}
        environment = Environment(aws, name, f"{random.randrange(10**11, 10**12)}", artefact, given, of)
        environment.create(**life.begins(environment))
        return environment

    return make
