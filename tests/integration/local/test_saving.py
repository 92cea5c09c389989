"""What is saved of the emulator's services."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from gymops.clock import SystemClock
from gymops.local import environment
from tests.integration.local import saving


def test_after_any_changes_it_is_what_the_emulator_would_save(emulator_installed: None) -> None:
    """Although what did not change is neither copied nor encoded again."""
    boot = Path(environment.__file__).parent / "plane" / "boot.py"
    python = environment.ensure(os.environ, clock=SystemClock())[0].python
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, "-I", saving.__file__, boot], capture_output=True, text=True, check=False,
            env={
                "PATH": os.environ["PATH"], "LOG_LEVEL": "ERROR", "PERSIST_STATE": "1",
                "STATE_DIR": f"{folder}/aws", "DOCKER_HOST": f"unix://{folder}/no-docker",
            },
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10_000
