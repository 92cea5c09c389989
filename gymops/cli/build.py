"""``gymops build``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gymops.cli import context, output
from gymops.errors import ConfigError

if TYPE_CHECKING:
    from gymops.config import App, Settings
    from gymops.deploy.build import Built
    from gymops.deploy.build.registry import Repository

_NEWEST = 10
"""Artefacts of each app, kind and architecture that stay below --home."""

_EPILOG = """\b
--json: {"digest", "kind", "arch", "python", "app", "handler", "contents", "sources", "lock", "created",
         "commit", "dirty", "base", "pushed": [repository@digest], "size", "unpacked", "folder", "notes",
         "blobs": [{"name", "digest", "size", "unpacked"}], "files": a count,
         or with --list [{"path", "size", "digest"}]}

\b
Examples:
  gymops build
  gymops build --arch x86_64 --list
  gymops build --kind image --base python:3.12-slim-bookworm@sha256:... --push registry.example.com/gym

Exit codes: 0 built; 1 it cannot be built; 2 wrong usage; 4 something in it looks like a secret."""


@click.command("build", epilog=_EPILOG)
@click.argument("architecture", required=False)
@click.option("--kind", type=click.Choice(["zip", "image"]), help="What it is (default: of [app], or zip).")
@click.option(
    "--arch",
    type=click.Choice(["arm64", "x86_64", "host"]),
    default="arm64",
    show_default=True,
    help="What it runs on; host is this machine with this Python, for the local AWS.",
)
@click.option("--python", metavar="3.X", help="The Python it runs on (default: the base's, or 3.12).")
@click.option("--out", type=click.Path(file_okay=False), help="Where to (default: artefacts below --home).")
@click.option("--cache", type=click.Path(file_okay=False), help="Where wheels are kept (GYMOPS_CACHE).")
@click.option("--base", metavar="IMAGE@sha256:...", help="The image to stand on, by digest.")
@click.option("--push", metavar="REGISTRY/REPO[:TAG]", help="Send the image there.")
@click.option(
    "--with", "tool", type=click.Choice(["docker", "podman", "buildah"]), help="Let this tool build and push."
)
@click.option("--list", "listed", is_flag=True, help="List every file with its size.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(
    ctx: click.Context, /, architecture: str | None, listed: bool, as_json: bool, **chosen: Any
) -> None:
    """Build the release artefact: a zip and a layer for Lambda, or an image, without a Docker daemon.

    The same sources and the same lock give the same digest, from any directory and on any machine.
    Dependencies are wheels for the target, taken by their hashes from the package index pip is set up for,
    and kept for the next build. Caches, tests and what looks like a secret do not get in. What is built is
    the app of [app] in gymops.toml; without that section the tracker that comes with gymops. Below --home
    the last 10 artefacts of a kind stay, and each with a file named keep in its folder; with --out all do.
    """
    from gymops.cli.payload import app

    settings = context.settings(ctx)
    _known(architecture)
    built = _build(app(settings), settings, **chosen)
    if as_json:
        document = {**built.artefact.as_dict(files=listed), "folder": str(built.folder), "notes": built.notes}
        output.document(document)
        return
    _show(built, listed=listed)


def make(settings: Settings, *, arch: Any, python: str | None = None) -> Built:
    """The app as it is now, of its kind, for this processor; as ``gymops build`` makes it."""
    from gymops.cli.payload import app

    chosen: dict[str, Any] = dict.fromkeys(("out", "cache", "base", "push", "tool"))
    return _build(app(settings), settings, kind=None, arch=arch, python=python, **chosen)


def _build(
    app: App,
    settings: Settings,
    *,
    kind: str | None,
    arch: Any,
    python: str | None,
    out: str | None,
    cache: str | None,
    base: str | None,
    push: str | None,
    tool: Any,
) -> Built:
    from gymops.deploy import build
    from gymops.deploy.build.target import Target

    places = build.Places(
        Path(out) if out else settings.home / "artefacts",
        Path(cache) if cache else _cache(settings),
        settings.environ,
        output.note,
        newest=None if out else _NEWEST,
    )
    if app.archive:
        if kind == "zip" or base or push or tool or python:
            raise ConfigError(
                "the image is built already: --kind zip, --base, --push, --with and --python have no say",
                hint="leave them out; gymops deploy sends it to the environment's registry",
            )
        from gymops.deploy.build.archive import build_archive

        return build_archive(app, None if arch == "host" else arch, places)
    host = Target.host() if arch == "host" else None
    if host and python not in (None, host.python):
        raise ConfigError(
            f"--arch host is Python {host.python}, and --python says {python}", hint="leave --python out"
        )
    if (kind or app.kind) == "zip":
        if base or push or tool:
            raise ConfigError("--base, --push and --with are for images", hint="add --kind image")
        return build.build_zip(app, None if host else arch, places, python=python)
    if host:
        arch, python = host.arch, host.python
    named = base or app.base
    if not named:
        raise ConfigError(
            "an image stands on another, and none is named",
            hint="--base python:3.12-slim-bookworm@sha256:..., or `base` of [app] in gymops.toml; without the"
            " digest it tells which that is now",
        )
    if tool and not push:
        raise ConfigError(
            "--with needs --push: the tool tells a digest only then", hint="--push REGISTRY/REPO"
        )
    return build.build_image(
        app,
        arch,
        places,
        base=_repository(named, settings),
        to=_repository(push, settings) if push else None,
        python=python,
        tool=tool,
    )


def _repository(named: str, settings: Settings) -> Repository:
    from gymops.clock import SystemClock
    from gymops.deploy.build import credentials
    from gymops.deploy.build.reference import Reference
    from gymops.deploy.build.registry import Repository

    def find(host: str) -> tuple[str, str] | None:
        from gymops.aws.account import Account
        from gymops.aws.ecr import login

        return credentials.find(host, settings.environ, ecr=lambda region: login(Account(region), region))

    return Repository(Reference.parse(named), credentials=find, clock=SystemClock())


def _known(architecture: str | None) -> None:
    """What is built is the same for all of them; a name that is none is a mistake all the same."""
    if architecture:
        from gymops.deploy import template

        template.architecture(architecture)


def _cache(settings: Settings) -> Path:
    environ = settings.environ
    if environ.get("GYMOPS_CACHE"):
        return Path(environ["GYMOPS_CACHE"])
    home = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or "~").expanduser() / ".cache"
    return Path(home) / "gymops"


def _show(built: Built, *, listed: bool) -> None:
    from gymops.deploy.build.limits import megabytes

    artefact = built.artefact
    if listed:
        output.table([(file.size, file.path) for file in artefact.files], ("bytes", "file"))
        output.text()
    rows = [(blob.name, megabytes(blob.size), blob.digest) for blob in artefact.blobs]
    output.table(rows, ("part", "size", "digest"))
    output.text()
    runtime = f" for Python {artefact.python}" if artefact.python else ""
    output.text(f"{artefact.app}: {artefact.kind}{runtime} on {artefact.arch}")
    output.text(f"digest    {artefact.digest}")
    output.text(f"contents  {len(artefact.files):,} files, {megabytes(artefact.unpacked)} unpacked")
    output.text(f"folder    {built.folder}")
    for where in artefact.pushed:
        output.text(f"pushed    {where}")
    for note in built.notes:
        output.note(f"note: {note}")
