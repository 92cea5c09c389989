"""An image that is built already: taken as it is, or refused with what to do."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gymops.config import App
from gymops.deploy.artefact import canonical, sha256, verify
from gymops.deploy.build import BuildError, Places
from gymops.deploy.build.archive import build_archive
from gymops.deploy.build.image import INDEX, MANIFEST


def image(architecture: str, layer: bytes = b"a layer") -> tuple[str, dict[str, bytes]]:
    """A manifest's digest, and every blob of its image."""
    config = canonical({"os": "linux", "architecture": architecture, "rootfs": {"diff_ids": []}})
    manifest = canonical({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": sha256(config)},
        "layers": [{"digest": sha256(layer)}],
    })  # fmt: skip
    return sha256(manifest), {sha256(one): one for one in (config, layer, manifest)}


def archive(folder: Path, blobs: dict[str, bytes], listed: list[dict[str, Any]]) -> App:
    with tarfile.open(folder / "shop.tar", "w") as tar:
        files = {f"blobs/{digest.replace(':', '/')}": data for digest, data in blobs.items()}
        for name, data in {"index.json": canonical({"manifests": listed}), **files}.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return App((), "", name="shop", source=folder, archive=Path("shop.tar"), kind="image")


def places(folder: Path) -> Places:
    return Places(folder / "out", folder / "cache", {}, lambda _: None)


def test_it_is_kept_by_its_own_digest_and_the_same_twice(tmp_path: Path) -> None:
    digest, blobs = image("arm64")
    app = archive(tmp_path, {**blobs, sha256(b"other"): b"other"}, [{"digest": digest}])
    built = build_archive(app, "arm64", places(tmp_path))
    assert (built.artefact.digest, built.artefact.kind, built.artefact.arch) == (digest, "image", "arm64")
    assert verify(built.folder) == built.artefact
    assert {file.name for file in (built.folder / "blobs/sha256").iterdir()} == {
        one.removeprefix("sha256:") for one in blobs
    }
    assert build_archive(app, "arm64", places(tmp_path)).folder == built.folder


def test_of_several_platforms_the_one_that_is_asked_for(tmp_path: Path) -> None:
    arm, its = image("arm64")
    amd, others = image("amd64")
    inner = canonical({
        "manifests": [
            {"mediaType": MANIFEST, "digest": arm, "platform": {"os": "linux", "architecture": "arm64"}},
            {"mediaType": MANIFEST, "digest": amd, "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": sha256(b"proof"), "platform": {"os": "unknown", "architecture": "unknown"}},
        ]
    })  # fmt: skip
    listed = [{"mediaType": INDEX, "digest": sha256(inner)}]
    app = archive(tmp_path, {**its, **others, sha256(inner): inner}, listed)
    assert build_archive(app, "x86_64", places(tmp_path)).artefact.digest == amd
    assert build_archive(app, "arm64", places(tmp_path)).artefact.digest == arm


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("gone", "shop.tar: is not there"),
        ("text", "cannot be read"),
        ("docker", "there is no index.json"),
        ("damaged", "is damaged"),
        ("other", "is for linux/amd64, and linux/arm64 is released"),
        ("lacking", "no OCI archive: there is no blobs/sha256/"),
        ("two", "has 2 images for linux/arm64"),
        ("escape", "is no digest"),
    ],
)
def test_what_is_none_is_refused_and_leaves_nothing(tmp_path: Path, fault: str, says: str) -> None:
    digest, blobs = image("amd64" if fault == "other" else "arm64")
    listed = [{"digest": digest}]
    if fault == "damaged":
        blobs[sha256(b"a layer")] = b"another"
    if fault == "lacking":
        del blobs[sha256(b"a layer")]
    if fault == "two":
        listed.append({"digest": image("arm64", b"two")[0]})
    if fault == "escape":
        listed = [{"digest": "sha256:../../etc/passwd"}]
    app = archive(tmp_path, blobs, listed)
    file = tmp_path / "shop.tar"
    if fault == "gone":
        file.unlink()
    if fault == "text":
        file.write_text("no tar")
    if fault == "docker":
        with tarfile.open(file, "w") as tar:
            tar.addfile(tarfile.TarInfo("manifest.json"))
    with pytest.raises(BuildError) as refused:
        build_archive(app, "arm64", places(tmp_path))
    assert says in refused.value.message
    assert refused.value.hint
    out = tmp_path / "out"
    assert not out.exists() or not list(out.iterdir())


@pytest.mark.parametrize("packed", ["", "gz", "bz2", "xz"])
def test_one_that_was_cut_is_refused_wherever_that_was(tmp_path: Path, packed: str) -> None:
    digest, blobs = image("arm64", Random(7).randbytes(20_000))
    app = archive(tmp_path, blobs, [{"digest": digest}])
    file = tmp_path / "shop.tar"
    packs: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gz": gzip.compress, "xz": lzma.compress}
    whole = packs.get(packed, bz2.compress)(file.read_bytes())
    file.write_bytes(whole)
    assert build_archive(app, "arm64", places(tmp_path)).artefact.digest == digest
    # What is behind the last file of a tar is zeros, which nobody misses.
    for share in range(75):
        file.write_bytes(whole[: len(whole) * share // 100])
        with pytest.raises(BuildError) as refused:
            build_archive(app, "arm64", places(tmp_path))
        assert refused.value.hint


def test_a_layout_in_a_folder_is_one_too(tmp_path: Path) -> None:
    digest, blobs = image("arm64")
    for name, data in blobs.items():
        file = tmp_path / "layout/blobs" / name.replace(":", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    (tmp_path / "layout/index.json").write_text(json.dumps({"manifests": [{"digest": digest}]}))
    app = App((), "", name="shop", archive=tmp_path / "layout", kind="image")
    assert build_archive(app, "arm64", places(tmp_path)).artefact.digest == digest
