"""An image without a Docker daemon, against a real registry: known by its digest before it is sent."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gymops.deploy import artefact as artefacts
from gymops.deploy.build import build_image
from gymops.deploy.build.failures import BuildError, RegistryError
from gymops.deploy.build.registry import Repository
from gymops.errors import ConfigError
from tests.integration.build import registries
from tests.integration.build.registries import docker_registry, push_base, repository
from tests.unit.build.making import places, shop, wheel

pytestmark = pytest.mark.skipif(
    registries.PROGRAM is None, reason="docker-registry is not installed: apt-get install docker-registry"
)

# As htpasswd -nbB prints it.
LOGIN = ("tester", "a password")
HTPASSWD = "tester:$2y$05$qCJDNpuKHSNYFgebZgvL5u6YyxwFjXv2J4DWH3d7sA/s9G1V.F1fu"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture(scope="module")
def base(registry: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base's full name."""
    where = repository(f"{registry}/library/base")
    digest = push_base(where, tmp_path_factory.mktemp("base"))
    return f"{registry}/library/base@{digest}"


def manifest_of(where: Repository, digest: str) -> dict[str, Any]:
    return dict(json.loads(where.manifest(digest)[0]))


def test_pushed_pulled_back_unpacked_and_run(base: str, registry: str, tmp_path: Path) -> None:
    command = ("python", "-c", "import json, shop.main; print(json.dumps(shop.main.handler(1, None)))")
    to = repository(f"{registry}/team/shop:v1")
    app = shop(tmp_path / "app", command=command)
    built = build_image(app, "arm64", places(tmp_path), base=repository(base), to=to)
    digest = built.artefact.digest
    assert built.artefact.pushed == (f"{registry}/team/shop@{digest}",)
    assert manifest_of(to, "v1") == manifest_of(to, digest)
    manifest = manifest_of(to, digest)
    config = json.loads(to.document(manifest["config"]["digest"]))
    assert (config["os"], config["architecture"]) == ("linux", "arm64")
    assert config["config"]["User"] == "10001:10001"
    assert "/tmp" in config["config"]["Volumes"]  # noqa: S108
    assert config["config"]["Labels"]["from"] == "base"
    assert "PATH=/usr/bin" in config["config"]["Env"]
    assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"]) == 2
    root = tmp_path / "root"
    for layer in manifest["layers"]:
        to.download(layer["digest"], tmp_path / "pulled")
        with tarfile.open(tmp_path / "pulled") as archive:
            archive.extractall(root, filter="data")
    assert (root / "etc/base.txt").read_text() == "from the base\n"
    environ = dict(line.split("=", 1) for line in config["config"]["Env"])
    environ["PYTHONPATH"] = ":".join(f"{root}{part}" for part in environ["PYTHONPATH"].split(":"))
    started = [sys.executable, "-S", *config["config"]["Entrypoint"][1:]]
    where = f"{root}{config['config']['WorkingDir']}"
    done = subprocess.run(
        started, env=environ, cwd=where, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == {"said": "hello 1.0", "event": 1}


def test_two_directories_one_digest_and_a_second_push_sends_nothing(
    base: str, registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_index: Path
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path / 'one/index'} {tmp_path / 'two/index'}")
    to = repository(f"{registry}/team/twice")
    first = build_image(
        shop(tmp_path / "one/app"), "arm64", places(tmp_path / "one"), base=repository(base), to=to
    )
    monkeypatch.setattr(Repository, "push_blob", None)
    second = build_image(
        shop(tmp_path / "two/app"), "arm64", places(tmp_path / "two"), base=repository(base), to=to
    )
    assert first.artefact.digest == second.artefact.digest
    assert (first.folder / "index.json").read_bytes() == (second.folder / "index.json").read_bytes()
    other = build_image(shop(tmp_path / "two/app"), "x86_64", places(tmp_path / "two"), base=repository(base))
    assert other.artefact.digest != first.artefact.digest


def test_the_base_s_layers_are_taken_over_inside_the_registry(
    base: str, registry: str, tmp_path: Path
) -> None:
    to = repository(f"{registry}/team/mounted")
    build_image(shop(tmp_path / "app"), "arm64", places(tmp_path), base=repository(base), to=to)
    assert not (tmp_path / "cache/blobs").exists()


def test_without_a_push_it_is_a_whole_oci_layout(base: str, tmp_path: Path) -> None:
    built = build_image(shop(tmp_path / "app"), "arm64", places(tmp_path), base=repository(base))
    assert json.loads((built.folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (listed,) = json.loads((built.folder / "index.json").read_text())["manifests"]
    assert listed["digest"] == built.artefact.digest
    assert len(list((built.folder / "blobs/sha256").iterdir())) == 4
    assert artefacts.verify(built.folder) == built.artefact
    assert not list(built.folder.rglob("layer"))
    ours = built.folder / artefacts.location("image", built.artefact.blob("layer"))
    ours.rename(tmp_path / "away")
    with pytest.raises(artefacts.ArtefactError, match="No such file"):
        artefacts.verify(built.folder)
    (tmp_path / "away").rename(ours)
    if skopeo := shutil.which("skopeo"):
        done = subprocess.run(
            [skopeo, "inspect", f"oci:{built.folder}"], capture_output=True, text=True, check=True, timeout=60
        )
        assert json.loads(done.stdout)["Architecture"] == "arm64"


def test_into_another_registry_which_asks_who_we_are(base: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with docker_registry(tmp_path / "other", HTPASSWD) as host:
        name = f"{host}/team/shop"
        with pytest.raises(RegistryError, match="not allowed") as error:
            repository(name)
        assert error.value.hint is not None
        assert error.value.hint.startswith(f"docker login {host}")
        with pytest.raises(RegistryError, match="not allowed"):
            repository(name, ("tester", "another")).manifest("latest")
        to = repository(name, LOGIN)
        built = build_image(shop(tmp_path / "app"), "arm64", places(tmp_path), base=repository(base), to=to)
        assert manifest_of(to, built.artefact.digest)["layers"]


def test_in_pieces(registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gymops.deploy.artefact import Blob, sha256
    from gymops.deploy.build import registry as client

    monkeypatch.setattr(client, "_CHUNKED", 10)
    monkeypatch.setattr(client, "_PIECE", 7)
    data = bytes(range(200))
    (tmp_path / "blob").write_bytes(data)
    where = repository(f"{registry}/team/pieces")
    where.push_blob(Blob("x", sha256(data), len(data), 0), tmp_path / "blob")
    assert where.document(sha256(data)) == data


def test_a_base_without_a_digest_tells_it(base: str, tmp_path: Path) -> None:
    name, _, digest = base.partition("@")
    with pytest.raises(ConfigError, match="a tag moves") as error:
        build_image(shop(tmp_path / "app"), "arm64", places(tmp_path), base=repository(f"{name}:latest"))
    assert error.value.hint is not None
    assert error.value.hint.endswith(f"{name}:latest@{digest}")


def test_a_base_that_is_not_there_or_not_for_it(base: str, registry: str, tmp_path: Path) -> None:
    app, where = shop(tmp_path / "app"), places(tmp_path)
    name, _, digest = base.partition("@")
    with pytest.raises(RegistryError, match="is not there") as error:
        build_image(app, "arm64", where, base=repository(f"{registry}/nobody/nothing@{digest}"))
    assert error.value.hint
    listed = manifest_of(repository(base), digest)["manifests"]
    intel = next(one["digest"] for one in listed if one["platform"]["architecture"] == "amd64")
    with pytest.raises(BuildError, match="is for linux/amd64, and linux/arm64 is built"):
        build_image(app, "arm64", where, base=repository(f"{name}@{intel}"))
    only = repository(f"{registry}/library/only")
    assert repository(base).where.host == only.where.host
    blob = json.loads(repository(base).manifest(intel)[0])
    for one in (blob["config"], *blob["layers"]):
        assert only.mount(one["digest"], "library/base")
    only.push_manifest(repository(base).manifest(intel)[0], registries.DOCKER)
    index = {"schemaVersion": 2, "mediaType": registries.LIST}
    index["manifests"] = [one for one in listed if one["platform"]["architecture"] == "amd64"]
    digest = only.push_manifest(json.dumps(index).encode(), registries.LIST)
    with pytest.raises(BuildError, match="not for linux/arm64, only for linux/amd64"):
        build_image(app, "arm64", where, base=repository(f"{registry}/library/only@{digest}"))
    assert not (tmp_path / "out").exists()


def test_a_base_of_another_python(base: str, tmp_path: Path) -> None:
    app, where = shop(tmp_path / "app"), places(tmp_path)
    with pytest.raises(BuildError, match=r"has Python 3.12, and 3.13 is built for"):
        build_image(app, "arm64", where, base=repository(base), python="3.13")
    assert build_image(app, "arm64", where, base=repository(base)).artefact.python == "3.12"


def test_a_wheel_is_for_the_image_s_python(base: str, tmp_path: Path, own_index: Path) -> None:
    app = shop(tmp_path / "app")
    (own_index / "greeting-1.0-py3-none-any.whl").unlink()
    wheel(own_index, "greeting", tag="cp311-cp311-manylinux_2_17_aarch64")
    with pytest.raises(BuildError, match=r"no wheel of greeting==1.0"):
        build_image(app, "arm64", places(tmp_path), base=repository(base))
