"""What AWS calls by the clock has no keys to backups: its artefact brings nothing that decrypts them."""

from __future__ import annotations

import subprocess
import sys

IMPORTED = """
import sys
for name in ("pyrage", "zstandard", "click", "cryptography"):
    sys.modules[name] = None
import gymops.scheduled
from gymops.backup import audit, catalogue, declared, gather_rds, pinned, telling
from gymops.backup.managed import judging, known, listing, places, proving
"""


def test_the_audit_by_the_clock_imports_nothing_that_is_not_there() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
