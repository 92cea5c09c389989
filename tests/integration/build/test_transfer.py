"""An image from one registry into another, by its manifest, against real ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gymops.deploy.artefact import sha256
from gymops.deploy.build import build_image
from gymops.deploy.build.failures import BuildError
from gymops.deploy.build.registry import Repository
from gymops.deploy.build.transfer import Elsewhere, Layout, transfer
from tests.integration.build import registries
from tests.integration.build.registries import docker_registry, push_base, repository
from tests.unit.build.making import places, shop

pytestmark = pytest.mark.skipif(
    registries.PROGRAM is None, reason="docker-registry is not installed: apt-get install docker-registry"
)
KEEP = "keep-sha256-0123456789ab"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    with docker_registry(one) as first, docker_registry(two) as second:
        yield first, second


@pytest.fixture
def built(hosts: tuple[str, str], tmp_path: Path) -> tuple[str, Path]:
    """An image's digest, and its layout."""
    where = repository(f"{hosts[0]}/library/base")
    base = repository(f"{hosts[0]}/library/base@{push_base(where, tmp_path)}")
    made = build_image(shop(tmp_path / "app"), "arm64", places(tmp_path), base=base)
    return made.artefact.digest, made.folder


def test_the_same_bytes_under_the_same_digest_wherever_it_goes(
    hosts: tuple[str, str], built: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, folder = built
    told: list[str] = []
    names = (f"{hosts[0]}/staging/shop", f"{hosts[1]}/prod/shop", f"{hosts[1]}/other/shop")
    staging, prod, other = (repository(name) for name in names)
    transfer(digest, Layout(folder), staging, KEEP, told.append)
    assert len(told) == 3
    transfer(digest, Elsewhere(staging), prod, KEEP, told.append)
    bodies = {where.manifest(wanted)[0] for where in (staging, prod) for wanted in (digest, KEEP)}
    assert [sha256(body) for body in bodies] == [digest]
    monkeypatch.setattr(Repository, "push_blob", None)  # from here on nothing is sent
    transfer(digest, Elsewhere(prod), other, KEEP, told.append)
    del told[:]
    for source in (Layout(folder), Elsewhere(staging)):
        transfer(digest, source, prod, KEEP, told.append)
    assert told == []


def test_ended_before_the_manifest_nothing_is_seen_and_nothing_sent_twice(
    hosts: tuple[str, str], built: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, folder = built
    where = repository(f"{hosts[1]}/half/shop")
    with monkeypatch.context() as patched:
        patched.setattr(Repository, "push_manifest", _killed)
        with pytest.raises(KeyboardInterrupt):
            transfer(digest, Layout(folder), where, KEEP, print)
    assert where.digest(digest) is None
    told: list[str] = []
    transfer(digest, Layout(folder), where, KEEP, told.append)
    assert (told, where.digest(KEEP)) == ([], digest)


def _killed(*_: object) -> str:
    raise KeyboardInterrupt


def test_a_list_and_a_layout_that_lacks_a_layer_are_refused(
    hosts: tuple[str, str], built: tuple[str, Path]
) -> None:
    where, base = repository(f"{hosts[1]}/none/shop"), repository(f"{hosts[0]}/library/base")
    whole = base.digest("latest")
    assert whole
    with pytest.raises(BuildError, match="a list of images for several platforms"):
        transfer(whole, Elsewhere(base), where, KEEP, print)
    digest, folder = built
    largest = max((folder / "blobs/sha256").iterdir(), key=lambda file: file.stat().st_size)
    largest.unlink()
    with pytest.raises(BuildError, match="is gone"):
        transfer(digest, Layout(folder), where, KEEP, print)
    assert where.digest(digest) is None
