"""An environment in accounts of its own, and the artefact that runs in it, built for this machine."""

from __future__ import annotations

import json
import random
import subprocess
import sys
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
def make(aws: Aws, request: pytest.FixtureRequest) -> Callable[..., Environment]:
    """All stacks of an environment, in an account where nothing else is."""

    def make(name: str, of: str = "titan-trakr") -> Environment:
        life = LIVES[of]
        artefact = request.getfixturevalue("artefact") if life.zipped else None
        given = {**shipped(of).environments[name], **life.environments[name]}
        environment = Environment(aws, name, f"{random.randrange(10**11, 10**12)}", artefact, given, of)
        environment.create(**life.begins(environment))
        return environment

    return make
