"""Static files on their way into an artefact: which, under which names, and what is refused."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from gymops.deploy.build import static
from gymops.deploy.build.entry import Entry
from gymops.deploy.build.failures import BuildError
from gymops.deploy.static import ARCHIVE, ASK, FOREVER, MANIFEST, Manifest
from gymops.errors import GateRefused
from tests.unit.build.making import shop, tree

PAGES = {
    "dist/index.html": "<script src=/assets/app.8e0d62a5.js>",
    "dist/assets/app.8e0d62a5.js": "run()",
    "dist/tests/index.html": "a page of that name",
    "dist/.well-known/security.txt": "Contact: mara",
    "dist/node_modules/x.js": "no",
    "dist/.DS_Store": "no",
}


def collect(folder: Path, **changes: object) -> list[Entry]:
    return static.collect(shop(folder, **{"static": Path("dist"), **changes}))


def pages(folder: Path) -> Path:
    tree(folder, PAGES)
    return folder


def test_everything_in_the_folder_by_the_path_it_is_asked_for(tmp_path: Path) -> None:
    found = [one.path for one in collect(pages(tmp_path / "app"))]
    assert found == [".well-known/security.txt", "assets/app.8e0d62a5.js", "index.html", "tests/index.html"]


def test_what_is_excluded_stays_out(tmp_path: Path) -> None:
    found = [
        one.path for one in collect(pages(tmp_path / "app"), exclude=("dist/assets/**", "dist/tests/**"))
    ]
    assert found == [".well-known/security.txt", "index.html"]


def test_an_app_without_static_files_has_none(tmp_path: Path) -> None:
    assert collect(tmp_path / "app", static=None) == []


@pytest.mark.parametrize("immutable", [None, ("dist/tests/**",)])
def test_archive_and_list_are_the_same_bytes_each_time(
    tmp_path: Path, immutable: tuple[str, ...] | None
) -> None:
    app = shop(pages(tmp_path / "app"), static=Path("dist"), immutable=immutable)
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        parts = static.write(tmp_path / name, "zip", static.collect(app), app)
        assert [part.blob.name for part in parts] == [ARCHIVE, MANIFEST]
        assert "static/index.html" in [file.path for file in parts[0].files]
        written.append([(tmp_path / name / part).read_bytes() for part in (ARCHIVE, MANIFEST)])
        for file in (tmp_path / "app" / "dist").rglob("*.html"):
            os.utime(file, (1, 1))
            file.chmod(0o755)
    assert written[0] == written[1]
    manifest = Manifest.load(written[0][1])
    assert manifest.archive == parts[0].blob.digest
    forever = [file.path for file in manifest.files if file.cache == FOREVER]
    assert forever == (["assets/app.8e0d62a5.js"] if immutable is None else ["tests/index.html"])
    assert {file.cache for file in manifest.files} == {FOREVER, ASK}
    with zipfile.ZipFile(tmp_path / "one" / ARCHIVE) as archive:
        assert archive.read("assets/app.8e0d62a5.js") == b"run()"


def test_an_image_has_them_where_it_has_its_layers(tmp_path: Path) -> None:
    app = shop(pages(tmp_path / "app"), static=Path("dist"))
    parts = static.write(tmp_path, "image", static.collect(app), app)
    for part in parts:
        assert (tmp_path / "blobs" / part.blob.digest.replace(":", "/")).is_file()
    assert not (tmp_path / ARCHIVE).exists()


def test_a_folder_that_is_missing_or_empty_is_an_error(tmp_path: Path) -> None:
    for folder in ("dist", "../elsewhere", "/etc", "."):
        with pytest.raises(BuildError, match="no such folder below") as refused:
            collect(tmp_path / "app", static=Path(folder))
        assert refused.value.hint
    (tmp_path / "app" / "dist").mkdir()
    with pytest.raises(BuildError, match="there is no file in it"):
        collect(tmp_path / "app")


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (pages(tmp_path / "app") / "dist" / "code.txt").symlink_to("../shop/main.py")
    with pytest.raises(BuildError, match="a link that leads out of"):
        collect(tmp_path / "app")


@pytest.mark.parametrize(
    ("path", "text"),
    [(".env", "A=1"), ("key.txt", "-----BEGIN PRIVATE KEY-----"), ("app.js", "AKIA" + "ABCDEFGHIJKLMNOP")],
)
def test_what_looks_like_a_secret_is_refused_unless_it_is_named(tmp_path: Path, path: str, text: str) -> None:
    tree(pages(tmp_path / "app"), {f"dist/{path}": text})
    with pytest.raises(GateRefused, match=f"dist/{path}"):
        collect(tmp_path / "app")
    assert collect(tmp_path / "app", not_secret=(f"dist/{path}",))


@pytest.mark.parametrize("names", [("Logo.png", "logo.png"), ("Ä.txt", "A\u0308.txt")])
def test_names_that_not_every_disk_tells_apart_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    tree(pages(tmp_path / "app"), {f"dist/{name}": name for name in names})
    if len(list((tmp_path / "app" / "dist").iterdir())) < len(PAGES) + 1:
        pytest.skip("this disk does not tell them apart either")
    with pytest.raises(BuildError, match="names that not every disk tells apart"):
        collect(tmp_path / "app")


def test_names_are_composed_and_may_have_spaces(tmp_path: Path) -> None:
    tree(tmp_path / "app", {"dist/A\u0308 b.txt": "", "dist/..x": "", "dist/日本.html": ""})
    assert [one.path for one in collect(tmp_path / "app")] == ["..x", "Ä b.txt", "日本.html"]


@pytest.mark.parametrize("name", ["a\nb.txt", "a\\b.txt", "/".join(["x" * 200] * 6)])
def test_what_cannot_be_served_is_refused(tmp_path: Path, name: str) -> None:
    tree(tmp_path / "app", {f"dist/{name}": ""})
    with pytest.raises(BuildError, match="nothing can be served under this name"):
        collect(tmp_path / "app")


def test_ten_thousand_files_are_no_trouble_and_half_a_gigabyte_is_the_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "app" / "dist"
    folder.mkdir(parents=True)
    for number in range(10_001):
        (folder / f"{number}.txt").write_bytes(b"%d" % number)
    app = shop(tmp_path / "app", static=Path("dist"))
    parts = static.write(tmp_path, "zip", static.collect(app), app)
    assert len(parts[0].files) == 10_001
    monkeypatch.setattr(static, "_MOST", 30_000)
    with pytest.raises(BuildError, match=r"dist: 0\.0 MB, and 0\.0 MB is the most"):
        static.collect(app)
