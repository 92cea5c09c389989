"""Static files in a release: what is served when, what is forgotten, what stays and what goes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gymops.aws.session import AwsError
from gymops.config import App, Environment
from gymops.deploy.artefact import digest_of
from gymops.deploy.build import static as building
from gymops.deploy.build.entry import Entry
from gymops.deploy.release.ledger import Release
from gymops.deploy.release.plan import Outcome
from gymops.deploy.smoke import SmokeFailed
from gymops.deploy.static import ARCHIVE, MANIFEST
from gymops.deploy.traffic import Returned
from gymops.deploy.verbs import look, static
from gymops.deploy.verbs.deploy import Built, deploy
from gymops.deploy.verbs.failures import NothingToReturnTo
from gymops.deploy.verbs.promote import promote
from gymops.deploy.verbs.rollback import rollback
from gymops.errors import ConfigError, Detached
from tests.unit.deploy.verbs.releasing import OWNER, ledger
from tests.unit.deploy.verbs.test_images import image
from tests.unit.deploy.verbs.world import World, built, code

ONE = {
    "index.html": "one, app.1a2b3c4d.js",
    "app.1a2b3c4d.js": "run one",
    "logo.png": "PNG",
    "about/index.html": "about",
}
TWO = {
    "index.html": "two, app.5e6f7a8b.js",
    "app.5e6f7a8b.js": "run two",
    "logo.png": "PNG",
    "about/index.html": "about us",
}


@pytest.fixture
def architecture(tmp_path: Path) -> str:
    names = (
        "ImageUri",
        "Environment",
        "AppName",
        "CodeBucket",
        "CodeKey",
        "LayerKey",
        "Runtime",
        "Handler",
        "LiveVersion",
    )
    template = {
        "Parameters": {
            **{name: {"Type": "String", "Default": ""} for name in (*names, "Architecture")},
            "AppName": {"Type": "String", "Default": "shop"},
        },
        "Resources": {"Pages": {"Type": "AWS::S3::Bucket"}},
        "Outputs": {
            name: {"Value": "x"}
            for name in ("FunctionName", "FunctionAlias", static.BUCKET, "DistributionId")
        },
    }
    (tmp_path / "template.json").write_text(json.dumps(template), encoding="utf-8")
    return str(tmp_path / "template.json")


def world(name: str, architecture: str, **given: Any) -> World:
    own = Environment(region="eu-central-1", smoke=("/health",), **given)
    return World(name, own, architecture=architecture)


@pytest.fixture
def staging(architecture: str) -> World:
    return world("staging", architecture)


def pages(folder: Path, text: str, files: Mapping[str, str]) -> Built:
    """An artefact whose code is this text, with these static files."""
    made = built(folder, text)
    app = App((), "shop.handler", static=Path("dist"))
    entries = [Entry(path, files[path].encode) for path in sorted(files)]
    blobs = made.artefact.blobs + tuple(one.blob for one in building.write(made.folder, "zip", entries, app))
    digest = digest_of("zip", "arm64", "3.12", "shop.handler", blobs)
    return Built(replace(made.artefact, digest=digest, blobs=blobs), made.folder)


def release(world: World, folder: Path, text: str, files: Mapping[str, str]) -> Release:
    return deploy(world.site(), pages(folder, text, files), OWNER, token="t")


def served(world: World) -> dict[str, str]:
    return {path: data.decode() for path, (data, _, _) in world.pages.items()}


def test_what_is_called_by_content_goes_before_the_traffic_and_pages_last_of_all(
    staging: World, tmp_path: Path
) -> None:
    first = release(staging, tmp_path, "one", ONE)
    assert served(staging) == ONE
    assert staging.pages["index.html"][1:] == ("text/html; charset=utf-8", "no-cache")
    assert staging.pages["app.1a2b3c4d.js"][1:] == (
        "text/javascript; charset=utf-8", "public, max-age=31536000, immutable",
    )  # fmt: skip
    assert first.static == {"files": 4, "uploaded": 4, "unchanged": 0, "invalidated": 0, "warning": None}
    assert staging.forgot == {}
    done = len(staging.effects)
    second = release(staging, tmp_path, "two", TWO)
    assert [what for what in staging.effects[done:] if not what.startswith("file")] == [
        "stack staging-shop",
        "version 2",
        "page app.5e6f7a8b.js",
        "serve 2",
        "page about/index.html",
        "page index.html",
        "forget",
        "stack staging-shop",
    ]
    assert served(staging) == {**ONE, **TWO}
    assert list(staging.forgot.values()) == [["/", "/about/", "/about/index.html", "/index.html"]]
    assert next(iter(staging.forgot)).endswith("-pages")
    assert second.static == {"files": 4, "uploaded": 3, "unchanged": 1, "invalidated": 4, "warning": None}


def test_pages_come_after_what_they_name_whatever_it_is_called(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one", {**ONE, "zoo.css": "red"})
    done = len(staging.effects)
    release(staging, tmp_path, "two", {**TWO, "zoo.css": "blue", "zoo.png": "new"})
    put = [what.removeprefix("page ") for what in staging.effects[done:] if what.startswith("page ")]
    assert put == ["app.5e6f7a8b.js", "zoo.css", "zoo.png", "about/index.html", "index.html"]


def test_the_same_again_uploads_and_forgets_nothing(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one", ONE)
    done = len(staging.effects)
    again = release(staging, tmp_path, "one", ONE)
    assert staging.effects[done:] == []
    assert again.static == {"files": 4, "uploaded": 0, "unchanged": 4, "invalidated": 0, "warning": None}


def test_an_image_has_them_beside_it_and_pages_alone_are_a_release_of_the_same_image(
    staging: World, architecture: str, tmp_path: Path
) -> None:
    def release(files: Mapping[str, str]) -> Release:
        made = image(tmp_path, "one")
        entries = [Entry(path, files[path].encode) for path in sorted(files)]
        parts = building.write(made.folder, "image", entries, App((), "h", static=Path("dist")))
        artefact = replace(made.artefact, blobs=(*made.artefact.blobs, *(part.blob for part in parts)))
        return deploy(staging.site(), Built(artefact, made.folder), OWNER, token="t")

    first = release(ONE)
    second = release({**ONE, "index.html": "mended"})
    assert first.artefact.digest == second.artefact.digest
    assert (first.content == second.content, first.version == second.version) == (False, True)
    prod = world("prod", architecture, after="staging")
    promote(staging.site(), prod.site(), OWNER, token="t", approved_by="olu")
    assert prod.pages == staging.pages
    rollback(staging.site(), OWNER)
    assert served(staging) == ONE


def test_diff_sees_pages_that_changed_alone(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one", ONE)
    site = staging.site()
    same, other = (pages(tmp_path, "one", files).artefact for files in (ONE, {**ONE, "index.html": "mended"}))
    assert not look.diff(site, look.of_build(site, same), "gymops deploy staging").found
    found = look.diff(site, look.of_build(site, other), "gymops deploy staging")
    assert (found.found, found.static, found.as_dict()["static"]) == (True, True, True)


def test_pages_alone_are_a_release_and_another_digest(staging: World, tmp_path: Path) -> None:
    first = release(staging, tmp_path, "one", ONE)
    second = release(staging, tmp_path, "one", {**ONE, "index.html": "mended"})
    assert served(staging)["index.html"] == "mended"
    assert first.content != second.content
    assert list(staging.forgot.values()) == [["/", "/index.html"]]


def test_another_type_or_time_to_be_kept_is_a_change_too(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one", ONE)
    staging.pages["logo.png"] = (b"PNG", "image/jpeg", "no-cache")
    release(staging, tmp_path, "two", TWO)
    assert staging.pages["logo.png"] == (b"PNG", "image/png", "no-cache")
    assert "/logo.png" in next(iter(staging.forgot.values()))


def test_a_name_by_content_with_other_content_is_said_changed_after_the_traffic_and_forgotten(
    staging: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one", ONE)
    release(staging, tmp_path, "two", {**ONE, "app.1a2b3c4d.js": "run otherwise"})
    assert staging.effects.index("serve 2") < len(staging.effects) - staging.effects[::-1].index(
        "page app.1a2b3c4d.js"
    )
    assert any("app.1a2b3c4d.js is called by its content, and holds another" in one for one in staging.said)
    assert list(staging.forgot.values()) == [["/app.1a2b3c4d.js"]]


def test_a_release_that_fails_before_the_traffic_changes_no_page(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one", ONE)
    staging.bad.add(code(built(tmp_path, "two")))
    with pytest.raises(SmokeFailed):
        release(staging, tmp_path, "two", TWO)
    assert served(staging) == ONE
    assert ledger(staging)[-1].static is None


def test_traffic_that_comes_back_leaves_the_pages_as_they_were(architecture: str, tmp_path: Path) -> None:
    staging = world("staging", architecture, traffic="Canary10Percent5Minutes")
    release(staging, tmp_path, "one", ONE)
    site = staging.site()
    object.__setattr__(site.functions, "split", lambda *_: staging.rings.append("staging-shop-errors"))
    with pytest.raises(Returned):
        deploy(site, pages(tmp_path, "two", {**TWO, "new.html": "new"}), OWNER, token="t")
    assert served(staging) == {**ONE, "app.5e6f7a8b.js": "run two"}  # which nothing names
    assert staging.forgot == {}
    assert ledger(staging)[-1].static == {
        "files": 5, "uploaded": 4, "unchanged": 1, "invalidated": 0, "warning": None,
    }  # fmt: skip


def test_a_page_that_cannot_be_stored_brings_everything_back(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one", ONE)
    site = staging.site()
    whole = site.static
    refused: list[bool] = []

    def some(bucket: str) -> Any:
        found = whole(bucket)
        put = found.put

        def refuse(files: Any, read: Any) -> None:
            if not refused and any(file.path == "index.html" for file in files):
                put([file for file in files if file.path != "index.html"], read)
                refused.append(True)
                raise AwsError("no rights", reason="AccessDenied")
            put(files, read)

        found.put = refuse  # type: ignore[method-assign]
        return found

    object.__setattr__(site, "static", some)
    with pytest.raises(AwsError, match="no rights"):
        deploy(site, pages(tmp_path, "two", TWO), OWNER, token="t")
    assert served(staging) == {**ONE, "app.5e6f7a8b.js": "run two"}
    assert staging.serves == code(built(tmp_path, "one"))
    assert list(staging.forgot) == [f"{ledger(staging)[-1].operation}-pages-back"]
    assert ledger(staging)[-1].outcome is Outcome.FAILED


def test_a_cache_that_does_not_forget_is_said_and_no_reason_to_go_back(
    staging: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one", ONE)
    site = staging.site()

    def refuse(*_: object) -> None:
        raise AwsError("not allowed", reason="AccessDenied")

    object.__setattr__(site.cdn, "forget", refuse)
    done = deploy(site, pages(tmp_path, "two", TWO), OWNER, token="t")
    assert done.static
    assert (done.good, done.static["invalidated"]) == (True, 0)
    assert done.static["warning"] == "the cache of E123456789 may hold old files (not allowed)"
    assert any(
        "aws cloudfront create-invalidation --distribution-id E123456789" in one for one in staging.said
    )


def test_a_cache_that_takes_its_time_is_waited_for_and_not_forever(
    staging: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static, "_PATIENCE", 50.0)  # nobody keeps the lock while the clock jumps
    release(staging, tmp_path, "one", ONE)
    site, begun = staging.site(), staging.clock.monotonic()
    object.__setattr__(site.cdn, "forget", lambda *_: None)  # too many at a time
    done = deploy(site, pages(tmp_path, "two", TWO), OWNER, token="t")
    assert done.static
    assert done.static["warning"] == "the cache of E123456789 may hold old files (not done after 1 minutes)"
    assert 50 <= staging.clock.monotonic() - begun < 60


def test_no_answer_from_the_cache_is_no_failure_and_the_same_command_goes_on(
    staging: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one", ONE)
    site = staging.site()

    def lose(*_: object) -> None:
        raise AwsError("no answer", reason="Unreachable", unknown=True)

    object.__setattr__(site.cdn, "forgotten", lose)
    with pytest.raises(Detached):
        deploy(site, pages(tmp_path, "two", TWO), OWNER, token="t")
    done = release(staging, tmp_path, "two", TWO)
    assert len(staging.forgot) == 1
    assert done.static
    assert done.static["invalidated"] == 4


def test_promotion_brings_the_very_same_files(staging: World, architecture: str, tmp_path: Path) -> None:
    prod = world("prod", architecture, after="staging")
    release(staging, tmp_path, "one", ONE)
    done = promote(staging.site(), prod.site(), OWNER, token="t", approved_by="olu")
    assert prod.pages == staging.pages
    assert done.artefact.static == ledger(staging)[0].artefact.static
    for name in (ARCHIVE, MANIFEST):
        there, here = (
            [data for key, data in one.held[f"releases-{one.name}"].items() if key.endswith(name)]
            for one in (staging, prod)
        )
        assert there == here
        assert len(there) == 1
    rollback_of = release(staging, tmp_path, "two", TWO)
    promote(staging.site(), prod.site(), OWNER, token="t", approved_by="olu")
    assert rollback_of.artefact.static != done.artefact.static
    rollback(prod.site(), OWNER)
    assert served(prod) == {**TWO, **ONE}


def test_a_rollback_brings_the_pages_back_with_the_alias_before_the_stack(
    staging: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one", ONE)
    release(staging, tmp_path, "two", TWO)
    del staging.pages["app.1a2b3c4d.js"]
    done = len(staging.effects)
    back = rollback(staging.site(), OWNER)
    assert staging.effects[done:] == [
        "serve 1", "page app.1a2b3c4d.js", "page about/index.html", "page index.html", "forget",
        "stack staging-shop",
    ]  # fmt: skip
    assert served(staging) == {**TWO, **ONE}
    assert back.static == {"files": 4, "uploaded": 3, "unchanged": 1, "invalidated": 4, "warning": None}


def test_a_rollback_to_a_version_that_is_gone_brings_the_pages_after_the_traffic(
    staging: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one", ONE)
    release(staging, tmp_path, "two", TWO)
    staging.versions["1"] = {"code": "another's"}
    done = len(staging.effects)
    back = rollback(staging.site(), OWNER)
    effects = staging.effects[done:]
    assert effects.index("serve 3") < effects.index("page index.html") < effects.index("forget")
    assert served(staging) == {**TWO, **ONE}
    assert back.static
    assert back.static["invalidated"] == 4


@pytest.mark.parametrize("name", [ARCHIVE, MANIFEST])
def test_a_rollback_to_pages_that_are_gone_is_refused_before_anything_is_changed(
    staging: World, tmp_path: Path, name: str
) -> None:
    release(staging, tmp_path, "one", ONE)
    release(staging, tmp_path, "two", TWO)
    files, done = staging.held["releases-staging"], len(staging.effects)
    del files[next(key for key in files if key.endswith(name))]
    with pytest.raises(NothingToReturnTo, match=rf"release 1 is gone: s3://releases-staging/.*/{name}"):
        rollback(staging.site(), OWNER)
    assert staging.effects[done:] == []


def test_files_stay_for_ten_releases_and_what_no_release_brought_stays_forever(
    staging: World, tmp_path: Path
) -> None:
    staging.pages["uploads/by-a-user.png"] = (b"mine", "image/png", "")
    for number in range(static.KEPT + 2):
        name = f"app.1a2b3c{number:02d}.js"
        release(staging, tmp_path, f"v{number}", {"index.html": f"runs {name}", name: "run"})
        assert "app.1a2b3c00.js" in staging.pages or number > static.KEPT
    assert "app.1a2b3c00.js" not in staging.pages
    assert {f"app.1a2b3c{number:02d}.js" for number in range(1, static.KEPT + 2)} <= set(staging.pages)
    assert staging.pages["uploads/by-a-user.png"][0] == b"mine"
    back = rollback(staging.site(), OWNER, number=1)
    assert back.good
    assert served(staging)["app.1a2b3c00.js"] == "run"


def test_what_cannot_be_taken_away_is_said(
    staging: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static, "KEPT", 1)
    release(staging, tmp_path, "one", ONE)
    release(staging, tmp_path, "two", TWO)
    site = staging.site()
    found = site.static("pages")

    def refuse(_: object) -> None:
        raise AwsError("not allowed", reason="AccessDenied")

    object.__setattr__(found, "remove", refuse)
    object.__setattr__(site, "static", lambda _: found)
    done = deploy(site, pages(tmp_path, "three", {"index.html": "three"}), OWNER, token="t")
    assert done.static
    assert done.static["warning"] == "static files of earlier releases were not taken away (not allowed)"
    assert done.static["invalidated"] == 2


def test_attempts_that_failed_push_no_good_release_out() -> None:
    class Attempt:
        def __init__(self, digest: str, *, good: bool) -> None:
            self.good = good
            self.artefact = type("Artefact", (), {"static": digest})

    tried: Any = [Attempt("a", good=True), *(Attempt(f"f{number}", good=False) for number in range(12))]
    keep, fading = static.lasting("new", tried)
    assert set(keep) == {"new", "a", *(f"f{number}" for number in range(2, 12))}
    assert set(fading) == {"f0", "f1"}


def test_a_template_without_a_bucket_for_them_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no output StaticBucketName") as refused:
        release(World("staging"), tmp_path, "one", ONE)
    assert refused.value.exit_code == 2


EFFECTS = 12
"""Of a second release: files, stack, version, two static, traffic, pages, forgetting, the settled stack."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, EFFECTS + 1))
def test_killed_at_any_effect_the_same_command_ends_the_same(
    staging: World, tmp_path: Path, at: int, after: bool
) -> None:
    release(staging, tmp_path, "one", ONE)
    two = {**TWO, "late.5e6f7a8c.js": "late"}
    begun = len(staging.effects)
    staging.dies_at = (begun + at, after)
    with suppress(Detached):
        release(staging, tmp_path, "two", two)
    died = len(staging.effects) == begun + at
    staging.dies_at = None
    if served(staging)["index.html"].startswith("one"):
        assert served(staging)["app.1a2b3c4d.js"] == "run one"
    else:
        assert served(staging)["app.5e6f7a8b.js"] == "run two"
        assert staging.serves == code(built(tmp_path, "two"))
    done = release(staging, tmp_path, "two", two)
    assert died
    assert served(staging) == {**ONE, **two}
    assert list(staging.forgot.values()) == [["/", "/about/", "/about/index.html", "/index.html"]]
    assert [one.outcome for one in ledger(staging)][:2] == [Outcome.SUCCEEDED] * 2
    assert (done.number, done.static and done.static["invalidated"]) == (2, 4)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 7))
def test_a_rollback_killed_at_any_effect_ends_the_same(
    staging: World, tmp_path: Path, at: int, after: bool
) -> None:
    release(staging, tmp_path, "one", ONE)
    release(staging, tmp_path, "two", TWO)
    del staging.pages["app.1a2b3c4d.js"]
    staging.dies_at = (len(staging.effects) + at, after)
    with suppress(Detached):
        rollback(staging.site(), OWNER)
    staging.dies_at = None
    if len(ledger(staging)) < 3:
        rollback(staging.site(), OWNER)
    assert served(staging) == {**TWO, **ONE}
    assert len(staging.forgot) == 2
    assert staging.serves == code(built(tmp_path, "one"))
    assert len(ledger(staging)) == 3


def test_the_archive_is_what_the_list_says(tmp_path: Path) -> None:
    made = pages(tmp_path, "one", ONE)
    with zipfile.ZipFile(io.BytesIO((made.folder / ARCHIVE).read_bytes())) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == ONE
