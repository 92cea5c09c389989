"""docker, podman and buildah, where the user prefers them: what they are told, and what they answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gymops.deploy.build import build_image
from gymops.deploy.build.failures import BuildError, RegistryError
from gymops.deploy.build.tools import Tool
from tests.integration.build import registries
from tests.integration.build.registries import docker_registry, push_base, repository
from tests.unit.build.making import places, shop

pytestmark = pytest.mark.skipif(
    registries.PROGRAM is None, reason="docker-registry is not installed: apt-get install docker-registry"
)
DIGEST = f"sha256:{'d' * 64}"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("registry")
    with docker_registry(folder) as host:
        where = repository(f"{host}/library/base")
        yield f"{host}/library/base@{push_base(where, folder)}"


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, tool: str, body: str) -> None:
    """A program of that name which keeps what it is told."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / tool
    told = folder / "told"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {told}\nfor last; do :; done\n'
        f'[ "$1" = build ] && cp "$last/Dockerfile" {folder} && test -s "$last/layer.tar.gz"\n{body}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("tool", "body", "option"),
    [
        ("docker", f'[ "$1" = build ] || echo "latest: digest: {DIGEST} size: 528"', "--provenance=false"),
        ("podman", f'[ "$1" = build ] || echo "{DIGEST}" > "$3"', "--timestamp 0"),
        ("buildah", f'[ "$1" = build ] || echo "{DIGEST}" > "$3"', "--timestamp 0"),
    ],
)
def test_each_is_told_the_same_and_its_digest_is_taken(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: Tool, body: str, option: str
) -> None:
    pretend(tmp_path, monkeypatch, tool, body)
    host = base.split("/")[0]
    built = build_image(
        shop(tmp_path / "app"),
        "arm64",
        places(tmp_path),
        base=repository(base),
        to=repository(f"{host}/team/shop:v1"),
        tool=tool,
    )
    assert built.artefact.digest == DIGEST
    assert built.artefact.pushed == (f"{host}/team/shop@{DIGEST}",)
    first, second = (tmp_path / "told").read_text().splitlines()
    plain = "" if tool == "docker" else " --tls-verify=false"  # a registry of this machine
    assert first.startswith(f"build {option}{plain} --platform linux/arm64 --tag {host}/team/shop:v1 ")
    assert plain in second
    assert second.endswith(f"{host}/team/shop:v1")
    written = (tmp_path / "Dockerfile").read_text()
    assert f"FROM {base}\nADD layer.tar.gz /\n" in written
    assert "USER 10001:10001\n" in written
    assert 'CMD ["shop.main.handler"]\n' in written


def test_one_that_is_missing_or_fails(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, where, host = shop(tmp_path / "app"), places(tmp_path), base.split("/")[0]
    to = repository(f"{host}/team/shop")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if shutil.which("podman") is None:
        with pytest.raises(BuildError, match="podman is not installed"):
            build_image(app, "arm64", where, base=repository(base), to=to, tool="podman")
    pretend(tmp_path, monkeypatch, "docker", "echo Cannot connect to the daemon >&2; exit 1")
    with pytest.raises(BuildError, match="docker build: Cannot connect to the daemon") as error:
        build_image(app, "arm64", where, base=repository(base), to=to, tool="docker")
    assert error.value.hint
    pretend(tmp_path, monkeypatch, "docker", '[ "$1" = build ] || { echo denied >&2; exit 1; }')
    with pytest.raises(RegistryError, match="docker push: denied"):
        build_image(app, "arm64", where, base=repository(base), to=to, tool="docker")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not installed")
def test_a_real_buildah_for_a_machine_that_this_is_not(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "storage.conf"
    settings.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(settings))
    monkeypatch.setenv("BUILDAH_ISOLATION", "chroot")
    to = repository(f"{base.split('/')[0]}/team/buildah")
    app = shop(tmp_path / "app")
    built = build_image(app, "arm64", places(tmp_path), base=repository(base), to=to, tool="buildah")
    manifest = json.loads(to.manifest(built.artefact.digest)[0])
    config = json.loads(to.document(manifest["config"]["digest"]))
    assert config["architecture"] == "arm64"
    assert config["config"]["Cmd"] == ["shop.main.handler"]
    assert config["config"]["User"] == "10001:10001"
    assert "/tmp" in config["config"]["Volumes"]  # noqa: S108
