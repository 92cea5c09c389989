"""The app's own tests: they pass before anything of it is released."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, ClassVar

from gymops.config import App
from gymops.errors import ConfigError, GymopsError


class FailingTests(GymopsError):
    """The app's tests failed; nothing was released."""

    code: ClassVar[str] = "tests"


def passed(app: App, tell: Callable[[str], None]) -> dict[str, Any] | None:
    """Run the app's test command in its folder, its output on stderr; None if it has none.

    Raises:
        FailingTests: it ended with another exit code than 0.
        ConfigError: it cannot be started.
    """
    if not app.test:
        return None
    command = shlex.join(app.test)
    tell(f"testing: {command}")
    began = time.monotonic()
    try:
        done = subprocess.run(app.test, cwd=app.source, stdout=sys.stderr, check=False)
    except OSError as error:
        raise ConfigError(
            f"{command}: cannot be started: {error.strerror}", hint="change `test` of [app] in gymops.toml"
        ) from None
    if done.returncode:
        raise FailingTests(
            f"{command} ended with {done.returncode}", hint="mend it, or the test; nothing was released"
        )
    return {"command": command, "seconds": round(time.monotonic() - began, 1)}
