"""The tracker's own artefact, from real wheels: it answers, and for arm64 it holds arm64's libraries only."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from gymops.cli.payload import payload
from gymops.deploy.build import Built, Places, build_image, build_zip
from gymops.deploy.build.target import ELF, Target
from tests.integration.build.registries import PROGRAM, docker_registry, push_base, repository

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("real_index")]

EVENT = {
    "version": "2.0",
    "rawPath": "/api/health",
    "rawQueryString": "",
    "headers": {"host": "gym.example"},
    "requestContext": {
        "domainName": "gym.example",
        "http": {"method": "GET", "path": "/api/health", "sourceIp": "203.0.113.7", "protocol": "HTTP/1.1"},
        "stage": "$default",
    },
    "isBase64Encoded": False,
}


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("artefacts")
    return Places(folder / "out", folder / "cache", {}, lambda _: None)


def unpacked(built: Built, folder: Path) -> dict[str, str]:
    """Both zips where Lambda has them, and an environment that sees nothing else."""
    for name, at in (("app.zip", "task"), ("layer.zip", "opt")):
        with zipfile.ZipFile(built.folder / name) as archive:
            archive.extractall(folder / at)  # noqa: S202 - a zip, and ours
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{folder / 'task'}:{folder / 'opt/python'}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GYMOPS_APP_PASSCODE": "correct horse",
        "GYMOPS_APP_SESSION_SECRET": "0123456789abcdef0123456789abcdef",
    }


def python(environ: dict[str, str], *arguments: str) -> str:
    """A fresh interpreter without this environment's packages."""
    command = [sys.executable, "-S", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_answers_and_brings_a_database_up_to_date(where: Places, tmp_path: Path, database: str) -> None:
    built = build_zip(payload(), None, where)
    environ = unpacked(built, tmp_path)
    program = (
        "import sys, json; from gymops.app.handler import handler\n"
        f"print(json.dumps(handler(json.loads({json.dumps(EVENT)!r}), None)))"
    )
    for store in (str(tmp_path / "gym.db"), database):
        if store == database:
            python(environ | {"URL": database}, "-m", "gymops", "schema", "upgrade", "--to", "env:URL")
        said = python(environ | {"GYMOPS_APP_DATABASE": store}, "-c", program)
        answer = json.loads(said.splitlines()[-1])  # the lines before are the log
        assert answer["statusCode"] == 200, answer
        assert json.loads(answer["body"])["status"] == "ok", answer


def test_for_arm64_it_holds_libraries_for_arm64_only(where: Places) -> None:
    built = build_zip(payload(), "arm64", where)
    libraries = 0
    with zipfile.ZipFile(built.folder / "layer.zip") as archive:
        for name in archive.namelist():
            head = archive.read(name)[:20]
            if head[:4] == b"\x7fELF":
                libraries += 1
                assert int.from_bytes(head[18:20], "little") == ELF["arm64"], name
            assert "x86_64" not in name
            assert not name.endswith((".pyc", ".exe"))
    assert libraries > 5
    assert built.artefact.unpacked < 250 * 1024 * 1024
    assert build_zip(payload(), "arm64", where).artefact.digest == built.artefact.digest


@pytest.mark.skipif(
    PROGRAM is None, reason="docker-registry is not installed: apt-get install docker-registry"
)
def test_its_image_pulled_back_starts_and_serves(where: Places, tmp_path: Path) -> None:
    host = Target.host()
    with docker_registry(tmp_path) as at:
        source = repository(f"{at}/library/base")
        digest = push_base(source, tmp_path, python=host.python)
        base, to = repository(f"{at}/library/base@{digest}"), repository(f"{at}/gym")
        built = build_image(payload(), host.arch, where, base=base, to=to)
        manifest = json.loads(to.manifest(built.artefact.digest)[0])
        config = json.loads(to.document(manifest["config"]["digest"]))["config"]
        for layer in manifest["layers"]:
            to.download(layer["digest"], tmp_path / "layer")
            with tarfile.open(tmp_path / "layer") as archive:
                archive.extractall(tmp_path / "root", filter="data")
    root = str(tmp_path / "root")
    environ = dict(line.split("=", 1) for line in config["Env"])
    environ["PYTHONPATH"] = ":".join(f"{root}{part}" for part in environ["PYTHONPATH"].split(":"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ |= {"GYMOPS_APP_PORT": str(port), "GYMOPS_APP_HOST": "127.0.0.1"}
    environ |= {"GYMOPS_APP_DATABASE": str(tmp_path / "gym.db"), "HOME": str(tmp_path)}
    command = [sys.executable, "-S", *config["Entrypoint"][1:]]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            command, env=environ, cwd=root + config["WorkingDir"], stdout=log, stderr=log
        )
        try:
            for _ in range(300):
                asked = subprocess.run([*command, "health"], env=environ, cwd=root, check=False, timeout=30)
                if asked.returncode == 0 or server.poll() is not None:
                    break
                time.sleep(0.1)
            assert asked.returncode == 0, (tmp_path / "log").read_text()
        finally:
            server.terminate()
            server.wait(timeout=30)
