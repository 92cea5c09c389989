"""``gymops init``."""

from __future__ import annotations

from pathlib import Path

import click

from gymops import resources
from gymops.cli import output
from gymops.config import FILE
from gymops.errors import ConfigError

_EPILOG = """\b
--json prints one document with the key written (the path of the new file)."""


@click.command("init", epilog=_EPILOG)
@click.option(
    "--architecture", metavar="NAME", help="With the environments and parameters of an architecture."
)
@click.option("--ci", type=click.Choice(["github"]), help="A workflow for GitHub Actions instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, architecture: str | None, ci: str | None, as_json: bool) -> None:
    """Write a commented gymops.toml into the current directory.

    Every setting is explained and commented out: the file changes nothing until you edit it. With an
    architecture (titan-trakr, lifestyle-phased, voice-tracker-neon, productivity-fargate or fitzen-coach) it
    names that one, and sets the parameters of its environments. With --ci github it is
    .github/workflows/gymops.yml that is written, for the environments of the gymops.toml that is there:
    tests, a release of each pull request, a promotion of what was merged. A file that exists is never
    overwritten.
    """
    if ci and architecture:
        raise ConfigError("--ci and --architecture are two files", hint="gymops init --architecture first")
    if ci:
        from gymops.cli import ci as workflows
        from gymops.cli.context import settings

        file = put(workflows.FILE, workflows.workflow(settings(ctx)))
        following = f"next: read the first lines of {workflows.FILE}: two roles and two variables"
    else:
        file = write(Path(FILE), architecture)
        following = (
            f"next: gymops lint {architecture}" if architecture else "next: gymops migrate SOURCE --plan"
        )
    if as_json:
        output.document({"written": str(file)})
        return
    output.text(f"wrote {file}")
    output.text(following)


def write(file: Path, architecture: str | None = None) -> Path:
    """Write the template to a file that does not exist yet; return where that is.

    Raises:
        ConfigError: it exists, or cannot be written, or there is no such architecture.
        TemplateError: the architecture's template cannot be read.
    """
    return put(file, _text(architecture))


def put(file: Path, text: str) -> Path:
    """Write a file that does not exist yet; return where that is.

    Raises:
        ConfigError: it exists, or cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as new:
            try:
                new.write(text)
                new.flush()
            except OSError:
                file.unlink()
                raise
        return file.absolute()
    except FileExistsError:
        raise ConfigError(
            f"{file} exists and is not overwritten",
            hint="edit it, or move it away and run gymops init again",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be written: {error.strerror}", hint="run it in a directory you may write to"
        ) from None


def _text(architecture: str | None) -> str:
    """The commented settings; an architecture stands before the first section, its parameters at the end."""
    text = (resources.path("templates") / FILE).read_text(encoding="utf-8")
    if architecture is None:
        return text
    from gymops.deploy import sample, template

    chosen = template.architecture(architecture)
    head, _, rest = text.partition('#architecture = "infra/template.yaml"\n')
    return (
        f'{head}architecture = "{architecture}"\n{rest.rstrip()}\n\n'
        f"# The environments of {architecture}. A value here wins over the one that comes with it; what is\n"
        f"# commented out has its default. docs/architectures/{architecture}.md says more.\n\n"
        f"{sample.settings(chosen)}"
    )
