"""The payload, described as gymops.toml describes any other app: what is built where [app] says nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gymops import config, resources

if TYPE_CHECKING:
    from gymops.deploy.environment import Deployment

_STATIC = Path("gymops/app/web/static")


def app(settings: config.Settings) -> config.App:
    """The app to build: of gymops.toml, or the payload, of the kind that is named there."""
    own = settings.app
    if own and own.other:
        return own
    pages = replace(payload(), static=_pages(settings))
    return replace(pages, kind=own.kind, base=own.base, python=own.python) if own else pages


def python(settings: config.Settings, deployment: Deployment) -> str | None:
    """The Python an environment's zip is built for: that of [app], or else of its parameter ``Runtime``."""
    named = deployment.parameters.get("Runtime", "")
    return app(settings).python or named.removeprefix("python") or None


def _pages(settings: config.Settings) -> Path | None:
    """The page's files, where the architecture has a bucket for them; elsewhere the function serves them."""
    if settings.architecture is None:
        return None
    from gymops.deploy.template import architecture, compose

    template = compose(architecture(settings.architecture).stack("app").template)
    return _STATIC if "StaticBucketName" in (template.body.get("Outputs") or {}) else None


def payload() -> config.App:
    """Titan Trakr, out of a checkout or of an installed gymops."""
    migrations = resources.path("migrations")
    return config.App(
        packages=("gymops.app",),
        handler="gymops.app.handler.handler",
        name="titan-trakr",
        source=Path(resources.__file__).parents[1],
        lock=resources.path("requirements-image.lock"),
        modules=("gymops.__main__", "gymops.cli.schema", "gymops.cli.projections", "gymops.scheduled"),
        files=(f"{migrations.relative_to(Path(resources.__file__).parents[1]).as_posix()}/**",),
        migrations=migrations,
        exclude=(
            "gymops/app/web/source/**",
            *(f"gymops/{part}/**" for part in ("deploy", "local", "migrate")),
        ),
        zip_without=("awslambdaric", "snapshot-restore-py", "simplejson", "uvicorn", "h11"),
        command=("python", "-m", "gymops.app.entry"),
    )
