"""Registries that refuse, fail, are slow or lie: one clear error each, and nothing half made."""

from __future__ import annotations

import json
import random
import resource
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from gymops.deploy.artefact import Blob, canonical, sha256
from gymops.deploy.build import build_image, build_zip, lock, transfer
from gymops.deploy.build.failures import BuildError, RegistryError
from gymops.deploy.build.target import Target
from gymops.deploy.build.wheels import fetch
from tests.integration.build.registries import FastClock, Request, layer, misbehaving, repository
from tests.unit.build.making import places, shop

Answer = tuple[int, dict[str, str], bytes] | None
TARGET = Target.of("image", "arm64", "3.12")
GOOD: Answer = (200, {}, b"{}")


def after_sign_in(answer: Answer) -> Callable[[Request], Answer]:
    return lambda request: GOOD if request.path == "/v2/" else answer


def refusal(answer: Answer) -> RegistryError:
    with misbehaving(after_sign_in(answer)) as server, pytest.raises(RegistryError) as error:
        repository(f"{server.host}/a/b").manifest("latest")
    return error.value


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((403, {}, b'{"errors": [{"message": "no such\\u0007 right"}]}'), "not allowed: no such right"),
        ((404, {}, b"<html>"), "is not there"),
        ((418, {}, b"x" * 100_000), "the registry answers 418"),
        ((500, {}, b'{"errors": [{"code": "UNKNOWN"}]}'), "the registry answers 500: UNKNOWN"),
        ((429, {}, b""), "the registry answers 429"),
        (None, "cannot be reached"),
    ],
)
def test_it_says_what_the_registry_says(answer: Answer, says: str) -> None:
    assert says in refusal(answer).message


def test_what_may_pass_is_tried_again_and_what_will_not_is_not() -> None:
    answers = iter([(503, {}, b""), None, GOOD])
    with misbehaving(lambda request: GOOD if request.path == "/v2/" else next(answers)) as server:
        clock = FastClock()
        repository(f"{server.host}/a/b", clock=clock).manifest("latest")
        assert len(clock.slept) == 2
    with misbehaving(after_sign_in((403, {}, b""))) as server:
        clock = FastClock()
        with pytest.raises(RegistryError):
            repository(f"{server.host}/a/b", clock=clock).manifest("latest")
        assert not clock.slept


def test_nobody_is_there_or_something_else_is() -> None:
    with pytest.raises(RegistryError, match=r"127.0.0.1:9: cannot be reached") as error:
        repository("127.0.0.1:9/a/b")
    assert error.value.hint
    with misbehaving(lambda _: (404, {}, b"")) as server, pytest.raises(RegistryError, match="no registry"):
        repository(f"{server.host}/a/b")


def test_a_slow_one_is_not_waited_for() -> None:
    enough = threading.Event()

    def slow(request: Request) -> Answer:
        if request.path != "/v2/":
            enough.wait(20)
        return GOOD

    with misbehaving(slow) as server:
        try:
            with pytest.raises(RegistryError, match="did not answer in time"):
                repository(f"{server.host}/a/b", timeout=0.1, attempts=2).manifest("latest")
        finally:
            enough.set()


def test_other_bytes_than_their_digest_says(tmp_path: Path) -> None:
    (tmp_path / "down").mkdir()
    with misbehaving(lambda _: (200, {}, b"other")) as server:
        where = repository(f"{server.host}/a/b")
        digest = sha256(b"wanted")
        for read in (where.manifest, where.document, lambda d: where.download(d, tmp_path / "down" / "file")):
            with pytest.raises(RegistryError, match=f"gave another .* than {digest}"):
                read(digest)
    assert not list((tmp_path / "down").iterdir())


def test_a_download_that_breaks_off(tmp_path: Path) -> None:
    (tmp_path / "down").mkdir()
    with misbehaving(after_sign_in((200, {"Content-Length": "1000"}, b"only this"))) as server:
        where = repository(f"{server.host}/a/b", timeout=0.3)
        with pytest.raises(RegistryError, match=r"did not answer in time|broke off|cannot be reached"):
            where.download(sha256(b"x" * 1000), tmp_path / "down" / "file")
    assert not list((tmp_path / "down").iterdir())


def test_a_manifest_stored_under_another_digest() -> None:
    stored = (201, {"Docker-Content-Digest": sha256(b"x")}, b"")
    with (
        misbehaving(after_sign_in(stored)) as server,
        pytest.raises(RegistryError, match=f"stored {sha256(b'x')} in place of"),
    ):
        repository(f"{server.host}/a/b").push_manifest(b"{}", "application/json")


def test_our_password_is_shown_to_no_other_host(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"data")
    with misbehaving(lambda _: (201, {}, b"")) as storage:

        def answer(request: Request) -> Answer:
            if request.path == "/v2/" and request.authorization is None:
                return 401, {"Www-Authenticate": 'Basic realm="r"'}, b""
            if request.method == "POST":
                return 202, {"Location": f"http://{storage.host}/upload?key=1"}, b""
            return GOOD

        with misbehaving(answer) as server:
            where = repository(f"{server.host}/a/b", ("me", "secret"))
            where.push_blob(Blob("x", sha256(b"data"), 4, 0), tmp_path / "blob")
            assert server.asked[-1].authorization is not None
        assert [(one.method, one.authorization) for one in storage.asked] == [("PUT", None)]


def test_a_token_is_asked_for_each_kind_of_use() -> None:
    """As Docker Hub and others have it: a bearer token for one scope."""
    granted: list[str] = []

    def answer(request: Request) -> Answer:
        if request.path.startswith("/token"):
            granted.append(request.path)
            return 200, {}, json.dumps({"token": f"t{len(granted)}"}).encode()
        use = "push" if request.method == "PUT" else "pull"
        if request.authorization != f"Bearer t{2 if use == 'push' else 1}":
            challenge = f'Bearer realm="http://{server.host}/token",service="s",scope="repository:a/b:{use}"'
            return 401, {"Www-Authenticate": challenge}, b""
        return GOOD

    with misbehaving(answer) as server:
        where = repository(f"{server.host}/a/b", ("me", "secret"))
        where.manifest("latest")
        where.do_request(f"http://{server.host}/v2/a/b/manifests/x", "PUT", data=b"{}")
    assert ["pull" in granted[0], "push" in granted[1]] == [True, True]


def test_an_upload_that_the_registry_lost_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"data")
    begun: list[str] = []
    ended: list[str] = []

    def answer(request: Request) -> Answer:
        if request.method == "POST":
            begun.append(request.path)
            return 202, {"Location": f"/upload/{len(begun)}"}, b""
        if request.method == "PUT" and request.path.startswith("/upload/1"):
            ended.append(request.path)
            return (503 if len(ended) == 1 else 404), {}, b""
        return GOOD

    with misbehaving(answer) as server:
        transfer.send(Blob("x", sha256(b"data"), 4, 0), tmp_path / "blob", repository(f"{server.host}/a/b"))
    assert (len(begun), len(ended)) == (2, 2)


def test_a_token_s_server_that_does_not_answer() -> None:
    enough = threading.Event()

    def answer(request: Request) -> Answer:
        if request.path.startswith("/token"):
            enough.wait(20)
        return 401, {"Www-Authenticate": f'Bearer realm="http://{server.host}/token",service="s"'}, b""

    with misbehaving(answer) as server:
        try:
            with pytest.raises(RegistryError, match="did not answer in time"):
                repository(f"{server.host}/a/b", timeout=0.1, attempts=2).manifest("latest")
        finally:
            enough.set()


def a_base(files: Mapping[str, bytes]) -> tuple[str, dict[str, bytes]]:
    """An image of one layer: its digest, and what a registry holds of it."""
    data, diff_id = layer(files)
    described = {"architecture": "arm64", "os": "linux", "config": {}, "rootfs": {"diff_ids": [diff_id]}}
    config = canonical(described)
    manifest = canonical(
        {
            "schemaVersion": 2,
            "config": {"mediaType": "c", "digest": sha256(config), "size": len(config)},
            "layers": [{"mediaType": "l", "digest": sha256(data), "size": len(data)}],
        }
    )
    return sha256(manifest), {sha256(one): one for one in (data, config, manifest)}


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file grows beyond this: what a full disk says at the same place."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_room_for_the_image_or_for_a_layer_of_its_base(tmp_path: Path) -> None:
    digest, held = a_base({"large": random.Random(1).randbytes(40_000)})

    def answer(request: Request) -> Answer:
        return 200, {}, held.get(request.path.rpartition("/")[2], b"{}")

    with misbehaving(answer) as server:
        base = repository(f"{server.host}/base@{digest}")
        app = shop(tmp_path / "app")
        for room, where, other in ((300, "/out/", "--out"), (20_000, "/cache/", "--cache")):
            fetch(lock.read(app.lock, TARGET, []), TARGET, tmp_path / "cache", lambda _: None)
            with room_for(room), pytest.raises(BuildError, match="no space is left on this disk") as error:
                build_image(app, "arm64", places(tmp_path), base=base)
            assert where in error.value.message
            assert other in (error.value.hint or "")
            assert not list((tmp_path / "out").iterdir())
        assert not list((tmp_path / "cache/blobs").iterdir())
        assert build_image(app, "arm64", places(tmp_path), base=base).artefact.base


def test_no_room_for_the_wheels(tmp_path: Path) -> None:
    app = shop(tmp_path / "app")
    with room_for(300), pytest.raises(BuildError, match="no space is left") as error:
        build_zip(app, "arm64", places(tmp_path))
    assert "--cache" in (error.value.hint or "")
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "cache/wheels").rglob("*.whl"))


def test_a_push_that_fails_in_the_middle_leaves_no_artefact(tmp_path: Path) -> None:
    digest, held = a_base({"x": b"1"})

    def answer(request: Request) -> Answer:
        digest = request.path.rpartition("/")[2]
        if request.method == "GET":
            return (200, {}, held.get(digest, b"{}"))
        return (404, {}, b"") if request.method == "HEAD" else (507, {}, b'{"errors": [{"message": "full"}]}')

    with misbehaving(answer) as server:
        base = repository(f"{server.host}/base@{digest}")
        with pytest.raises(RegistryError, match="the registry answers 507: full"):
            build_image(
                shop(tmp_path / "app"),
                "arm64",
                places(tmp_path),
                base=base,
                to=repository(f"{server.host}/shop"),
            )
        assert not list((tmp_path / "out").iterdir())
        held[digest] = b"[]"
        with pytest.raises(RegistryError, match="gave another manifest"):
            build_image(shop(tmp_path / "app"), "arm64", places(tmp_path), base=base)


def test_what_is_no_image(tmp_path: Path) -> None:
    body = canonical({"schemaVersion": 1, "name": "old"})
    with misbehaving(after_sign_in((200, {"Content-Type": "application/x-old"}, body))) as server:
        base = repository(f"{server.host}/base@{sha256(body)}")
        with pytest.raises(BuildError, match="no image: its manifest is application/x-old"):
            build_image(shop(tmp_path / "app"), "arm64", places(tmp_path), base=base)
