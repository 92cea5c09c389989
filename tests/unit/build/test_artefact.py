"""The record of what was built, as deploying reads it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gymops.deploy import artefact as artefacts
from gymops.deploy.artefact import Artefact, ArtefactError, Blob, File, contents_of, digest_of

FILES = (File("b", 1, "sha256:1"), File("a", 2, "sha256:2"))
BLOBS = (Blob("app.zip", f"sha256:{'0' * 64}", 10, 3), Blob("layer.zip", f"sha256:{'1' * 64}", 20, 4))
MADE = Artefact(
    digest=digest_of("zip", "arm64", "3.12", "a.b.c", BLOBS),
    kind="zip",
    arch="arm64",
    python="3.12",
    app="shop",
    handler="a.b.c",
    blobs=BLOBS,
    files=FILES,
    contents=contents_of(FILES),
    sources="sha256:3",
    lock="sha256:4",
    created=None,
)


def test_a_record_is_read_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / artefacts.RECORD).write_text(json.dumps(MADE.as_dict()), encoding="utf-8")
    assert artefacts.load(tmp_path) == MADE
    assert (MADE.size, MADE.unpacked) == (30, 3)
    assert MADE.as_dict(files=False)["files"] == 2


def test_the_digest_is_of_what_runs_and_not_of_when_it_was_built() -> None:
    assert digest_of("zip", "x86_64", "3.12", "a.b.c", BLOBS) != MADE.digest
    assert digest_of("zip", "arm64", "3.12", "a.b.d", BLOBS) != MADE.digest
    assert digest_of("zip", "arm64", "3.12", "a.b.c", (BLOBS[0], replace(BLOBS[1], size=21))) != MADE.digest
    assert MADE.digest == "sha256:7449cadc608234663691d29e4d11fc316ae504f9f5766f2ee90104d9c4432d48"


def test_the_contents_are_the_same_in_any_order_and_other_under_another_name() -> None:
    assert contents_of(FILES) == contents_of(FILES[::-1])
    assert contents_of(FILES) != contents_of((replace(FILES[0], path="c"), FILES[1]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON"),
        ("[]", "schema None"),
        ('{"schema": 2}', "schema 2; this gymops reads 1"),
        ('{"schema": 1}', "lacks something: 'digest'"),
    ],
)
def test_what_is_no_record(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / artefacts.RECORD).write_text(text, encoding="utf-8")
    with pytest.raises(ArtefactError, match=says) as error:
        artefacts.load(tmp_path)
    assert error.value.hint


def test_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"artefact.json: No such file"):
        artefacts.load(tmp_path)
