"""Static files: what they are called by, what they are, and what the CDN has to forget."""

from __future__ import annotations

import pytest

from gymops.deploy.artefact import ArtefactError
from gymops.deploy.static import ASK, FOREVER, Manifest, StaticFile, content_type, invalidations
from gymops.deploy.static import named_by_content as named


@pytest.mark.parametrize(
    "name",
    [
        "main.8e0d62a5.js", "index-BkzQ1x2P.js", "framework-5429a50ba5373c56.js", "main-5QHH3LWD.js",
        "a1b2c3d4e5f6a7b8.css", "logo.3f2a1b4c.min.svg", "chunk.12ab34cd.js.map", "12.8e0d62a5.chunk.js",
    ],
)  # fmt: skip
def test_what_bundlers_name_by_content_is_kept_forever(name: str) -> None:
    assert named(name)


@pytest.mark.parametrize(
    "name",
    [
        "index.html", "app.js", "user-register.css", "my-database.js", "icon-192.png", "apple-touch-icon.png",
        "report-20261121.pdf", "photo-2026-11-21.jpg", "facade2020.png", "IMG_DSC01234.jpg",
        "size-IPHONE12.png",
        "sw.js", "v1.2.3.js", "theme-Version2.css", "fig-A4-paper.png", "my-iPhone12.png", "deadbeef",
        "settings.defaced.js", "jquery-3.7.1.min.js", "robots.txt", "clip-1080pHDR.mp4",
    ],
)  # fmt: skip
def test_words_numbers_and_dates_are_no_hashes(name: str) -> None:
    assert not named(name)


@pytest.mark.parametrize(
    ("path", "data", "expected"),
    [
        ("index.html", "ü".encode(), "text/html; charset=utf-8"),
        ("index.html", "ü".encode("latin-1"), "text/html"),
        ("A.JS", b"", "text/javascript; charset=utf-8"),
        ("a.json", b"{}", "application/json"),
        ("manifest.webmanifest", b"{}", "application/manifest+json"),
        ("a.svg", b"<svg/>", "image/svg+xml"),
        (".well-known/apple-app-site-association", b"{}", "application/json"),
        ("LICENSE", b"", "application/octet-stream"),
        ("a.unheard-of", b"", "application/octet-stream"),
    ],
)
def test_a_type_follows_from_the_name_and_not_from_the_machine(path: str, data: bytes, expected: str) -> None:
    assert content_type(path, data) == expected


def test_a_list_comes_back_as_it_went() -> None:
    files = (
        StaticFile("ä b.html", "sha256:1", 3, "text/html", ASK),
        StaticFile("x.1a2b3c4d.js", "2", 1, "", FOREVER),
    )
    found = Manifest.load((made := Manifest("sha256:0", files)).dump())
    assert found == made
    assert [file.immutable for file in found.files] == [False, True]
    assert [file.entry for file in found.files] == [True, False]


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"schema": 2}', b'{"schema": 1, "archive": "", "files": [{}]}']
)
def test_what_is_no_list_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(ArtefactError):
        Manifest.load(data)


def test_only_what_changed_is_forgotten_an_index_with_its_folder() -> None:
    assert invalidations(["index.html", "docs/index.html", "a b/ü(1).js"]) == [
        "/", "/a%20b/%C3%BC(1).js", "/docs/", "/docs/index.html", "/index.html",
    ]  # fmt: skip
    assert invalidations([]) == []


def test_many_of_one_folder_are_forgotten_with_it() -> None:
    fifteen = [f"img/{number}.png" for number in range(15)]
    assert invalidations(["x.css", *fifteen]) == sorted(["/x.css", *(f"/{one}" for one in fifteen)])
    assert invalidations(["x.css", *fifteen, "img/15.png", "img/deep/a.png"]) == ["/img/*", "/x.css"]


def test_many_folders_go_with_the_one_they_lie_in() -> None:
    paths = [f"a/{folder}/{number}.png" for folder in range(16) for number in range(16)]
    assert invalidations(["x.css", *paths]) == ["/a/*", "/x.css"]
    assert invalidations([f"{number}.html" for number in range(16)]) == ["/*"]


def test_never_more_folders_at_a_time_than_cloudfront_takes() -> None:
    paths = [f"{top}/{one}/{number}" for top in "abc" for one in range(6) for number in range(16)]
    assert invalidations(paths) == ["/*"]
