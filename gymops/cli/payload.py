"""The payload, described as gymops.toml describes any other app: what is built where [app] says nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gymops import config, resources


def app(settings: config.Settings) -> config.App:
    """The app to build: of gymops.toml, or the payload, of the kind that is named there."""
    own = settings.app
    if own is None or own.packages:
        return own or payload()
    return replace(payload(), kind=own.kind, base=own.base, python=own.python)


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
