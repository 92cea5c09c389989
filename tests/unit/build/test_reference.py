"""Names of images, and who we are to their registries."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from gymops.deploy.build import credentials
from gymops.deploy.build.failures import RegistryError
from gymops.deploy.build.reference import Reference
from gymops.errors import ConfigError

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("text", "name", "wanted", "address"),
    [
        ("python", "docker.io/library/python", "latest", "https://registry-1.docker.io"),
        ("python:3.12@" + DIGEST, "docker.io/library/python", DIGEST, "https://registry-1.docker.io"),
        ("me/app:1", "docker.io/me/app", "1", "https://registry-1.docker.io"),
        ("docker.io/python", "docker.io/library/python", "latest", "https://registry-1.docker.io"),
        ("localhost:5000/a/b:x", "localhost:5000/a/b", "x", "http://localhost:5000"),
        ("127.0.0.1:5000/a", "127.0.0.1:5000/a", "latest", "http://127.0.0.1:5000"),
        (
            "registry.example.com/a@" + DIGEST,
            "registry.example.com/a",
            DIGEST,
            "https://registry.example.com",
        ),
    ],
)
def test_names(text: str, name: str, wanted: str, address: str) -> None:
    found = Reference.parse(text)
    assert (found.name, found.wanted, found.address) == (name, wanted, address)


@pytest.mark.parametrize("text", ["", "A/b", "a:b:c", "a@sha256:12", "host.com/", "a b", "a:", "../a", "x@"])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="names no image") as error:
        Reference.parse(text)
    assert error.value.hint


def write(folder: Path, document: object) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(document), encoding="utf-8")
    return {"DOCKER_CONFIG": str(folder)}


def test_docker_s_own_file_wins_over_ecr(tmp_path: Path) -> None:
    host = "123456789012.dkr.ecr.us-west-1.amazonaws.com"
    asked: list[str] = []

    def login(region: str) -> tuple[str, str]:
        asked.append(region)
        return "AWS", "token"

    assert credentials.find(host, {}, ecr=login) == ("AWS", "token")
    assert asked == ["us-west-1"]
    auth = base64.b64encode(b"me:pass:word").decode()
    environ = write(tmp_path / "docker", {"auths": {host: {"auth": auth}}})
    assert credentials.find(host, environ, ecr=login) == ("me", "pass:word")
    assert credentials.find("elsewhere.example.com", environ, ecr=login) is None
    assert len(asked) == 1


def test_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker-credential-test"
    program.write_text('#!/bin/sh\nread host\necho "{\\"Username\\": \\"$host\\", \\"Secret\\": \\"s\\"}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    environ = write(tmp_path / "docker", {"credHelpers": {"r.example.com": "test"}})
    assert credentials.find("r.example.com", environ) == ("r.example.com", "s")
    environ = write(tmp_path / "docker", {"credsStore": "test", "auths": {"q.example.com": {}}})
    assert credentials.find("q.example.com", environ) == ("q.example.com", "s")
    environ = write(tmp_path / "docker", {"credHelpers": {"r.example.com": "gone"}})
    with pytest.raises(RegistryError, match=r"docker-credential-gone, .* is not installed") as error:
        credentials.find("r.example.com", environ)
    assert error.value.hint


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RegistryError, match=r"config.json: cannot be read: no JSON"):
        credentials.find("r.example.com", {"DOCKER_CONFIG": str(tmp_path)})
