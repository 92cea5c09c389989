"""The same image by docker, podman or buildah, where the user prefers them: base plus one layer.

They write times of their own into it, so its digest is known only after the push and differs from ours.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from gymops.deploy.artefact import Arch
from gymops.deploy.build.failures import BuildError, RegistryError, written
from gymops.deploy.build.image import Base, Image
from gymops.deploy.build.reference import Reference
from gymops.deploy.build.target import PLATFORMS

Tool = Literal["docker", "podman", "buildah"]
Tell = Callable[[str], None]
_HOUR = 3600.0


def build_and_push(
    tool: Tool, image: Image, layer: Path, *, base: Base, arch: Arch, to: Reference, tell: Tell
) -> str:
    """Let a tool build and push it; the digest that the registry has it under.

    Raises:
        BuildError: the tool is missing, or fails.
        RegistryError: its push fails.
    """
    if shutil.which(tool) is None:
        raise BuildError(f"{tool} is not installed", hint="leave --with out: gymops needs none of them")
    name = f"{to.name.removeprefix('docker.io/')}:{to.tag or f'gymops-{image.digest[7:27]}'}"
    with tempfile.TemporaryDirectory(prefix="gymops-build-") as temporary, written(Path(temporary), "TMPDIR"):
        folder = Path(temporary)
        shutil.copyfile(layer, folder / "layer.tar.gz")
        (folder / "Dockerfile").write_text(dockerfile(image, base), encoding="utf-8")
        platform = ["--platform", f"linux/{PLATFORMS[arch]}", "--tag", name, str(folder)]
        options = (
            ["--provenance=false"] if tool == "docker" else ["--timestamp", "0", *_plain(base.reference)]
        )
        tell(f"{tool} builds {name}")
        _run([tool, "build", *options, *platform], BuildError)
        tell(f"{tool} pushes {name}")
        if tool == "docker":
            said = _run([tool, "push", name], RegistryError)
        else:
            digest = ["--digestfile", str(folder / "digest")]
            _run([tool, "push", *digest, *_plain(to), name], RegistryError)
            said = f"digest: {(folder / 'digest').read_text(encoding='utf-8')}"
    if found := re.search(r"digest: (sha256:[0-9a-f]{64})", said):
        return found[1]
    raise RegistryError(f"{tool} pushed {name} and tells no digest", hint="leave --with out")


def dockerfile(image: Image, base: Base) -> str:
    """What ours does, in their words."""
    import json

    started = json.loads(image.config)["config"]
    lines = [
        f"FROM {base.reference.name}@{base.reference.digest}",
        "ADD layer.tar.gz /",
        *(f"ENV {name}={json.dumps(value)}" for name, _, value in _pairs(started["Env"])),
        *(f"LABEL {json.dumps(name)}={json.dumps(value)}" for name, value in started["Labels"].items()),
        f"WORKDIR {started['WorkingDir']}",
        f"USER {started['User']}",
        f"VOLUME {json.dumps(list(started['Volumes']))}",
        f"ENTRYPOINT {json.dumps(started['Entrypoint'])}",
        f"CMD {json.dumps(started.get('Cmd') or [])}",
    ]
    return "\n".join(lines) + "\n"


def _plain(where: Reference) -> list[str]:
    """docker takes a registry of this machine without TLS; the others want to be told."""
    return ["--tls-verify=false"] if where.address.startswith("http://") else []


def _pairs(lines: list[str]) -> list[tuple[str, str, str]]:
    return [line.partition("=") for line in lines]


def _run(command: list[str], kind: type[BuildError] | type[RegistryError]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_HOUR, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise kind(f"{command[0]} {command[1]}: no end after an hour") from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "?").splitlines()[-1][:300]
        raise kind(
            f"{command[0]} {command[1]}: {last}", hint="leave --with out: gymops builds without a daemon"
        )
    return done.stdout + done.stderr
