"""``gymops init --ci github``: a workflow that tests, releases a pull request, promotes it once merged."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from gymops import __version__, resources
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.config import Settings

FILE = Path(".github/workflows/gymops.yml")
_USUAL = ("staging", "prod")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def workflow(settings: Settings) -> str:
    """The workflow, for the environments, the lock and the tests that gymops.toml names.

    Raises:
        ConfigError: a name in gymops.toml would mean something else in a workflow.
    """
    source, target = _pair(settings)
    app = settings.app
    told = {
        "FROM": source,
        "TO": target,
        "FROM_PROFILE": _profile(settings, source),
        "TO_PROFILE": _profile(settings, target),
        "PYTHON": app.python if app and app.python else "3.12",
        "VERSION": __version__,
    }
    for name, value in told.items():
        if not _PLAIN.fullmatch(value):
            raise ConfigError(
                f"{value!r} cannot stand in a workflow as {name}",
                hint="letters, digits, dot, dash, underscore",
            )
    told["LOCK"] = _quoted(str(app.lock) if app else "requirements.lock")
    told["TEST"] = (
        _quoted(shlex.join(app.test), whole=True) if app and app.test else "python -m unittest discover"
    )
    text = (resources.path("templates") / "github.yml").read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda found: told[found[1]], text)


def _pair(settings: Settings) -> tuple[str, str]:
    """The environment that a pull request goes to, and the one after it."""
    after = {name: one.after for name, one in settings.environments.items() if one.after}
    if not after and settings.architecture:
        from gymops.deploy.template import architecture

        after = dict(architecture(settings.architecture).after)
    return next(((before, name) for name, before in after.items()), _USUAL)


def _profile(settings: Settings, environment: str) -> str:
    found = settings.environments.get(environment)
    return (found and found.profile) or environment


def _quoted(text: str, *, whole: bool = False) -> str:
    """As a shell word inside of YAML, or a command that is all of a YAML value."""
    if any(not one.isprintable() for one in text) or "${{" in text:
        raise ConfigError(f"{text!r} cannot stand in a workflow", hint="change [app] in gymops.toml")
    return "'" + text.replace("'", "''") + "'" if whole else shlex.quote(text)
