"""A real registry on loopback, one that misbehaves, and a small base image."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import socket
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from gymops.clock import SystemClock, ticks
from gymops.deploy.artefact import Blob, canonical, sha256
from gymops.deploy.build.reference import Reference
from gymops.deploy.build.registry import Repository

PROGRAM = shutil.which("docker-registry")
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


class FastClock(SystemClock):
    """Does not wait between attempts, and remembers that it should have."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def repository(name: str, login: tuple[str, str] | None = None, **options: Any) -> Repository:
    return Repository(
        Reference.parse(name),
        credentials=lambda _: login,
        **{"clock": FastClock(), "timeout": 5.0, **options},
    )


@contextmanager
def docker_registry(folder: Path, htpasswd: str | None = None) -> Iterator[str]:
    """The system's docker-registry, with its data in a folder; its host and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host},
    }
    if htpasswd:
        (folder / "htpasswd").write_text(htpasswd, encoding="utf-8")
        config["auth"] = {"htpasswd": {"realm": "basic-realm", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(config), encoding="utf-8")
    assert PROGRAM
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
        try:
            _wait(f"http://{host}/v2/", process)
            yield host
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in ticks(SystemClock(), timeout=60, interval=0.05):
        assert process.poll() is None, "docker-registry ended"
        try:
            urllib.request.urlopen(url, timeout=60).close()  # noqa: S310 - loopback
            return
        except urllib.error.HTTPError as answer:
            answer.close()
            return
        except OSError:
            continue
    raise AssertionError("docker-registry does not answer")


def layer(files: Mapping[str, bytes]) -> tuple[bytes, str]:
    """A packed layer, and the digest of its tar."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0), sha256(plain.getvalue())


def push_base(where: Repository, folder: Path, *, python: str = "3.12") -> str:
    """A base image of one small layer, for both platforms, in docker's own notation; its digest."""
    data, diff_id = layer({"etc/base.txt": b"from the base\n"})
    listed = []
    _send(where, folder, data)
    for architecture in ("amd64", "arm64"):
        config = canonical(
            {
                "architecture": architecture,
                "os": "linux",
                "config": {
                    "Env": ["PATH=/usr/bin", f"PYTHON_VERSION={python}.4"],
                    "Labels": {"from": "base"},
                },
                "rootfs": {"type": "layers", "diff_ids": [diff_id]},
                "history": [{"created_by": "the test"}],
            }
        )
        _send(where, folder, config)
        manifest = canonical(
            {
                "schemaVersion": 2,
                "mediaType": DOCKER,
                "config": {
                    "mediaType": "application/vnd.docker.container.image.v1+json",
                    "digest": sha256(config),
                    "size": len(config),
                },
                "layers": [
                    {
                        "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                        "digest": sha256(data),
                        "size": len(data),
                    }
                ],
            }
        )
        digest = where.push_manifest(manifest, DOCKER)
        listed.append(
            {
                "mediaType": DOCKER,
                "digest": digest,
                "size": len(manifest),
                "platform": {"os": "linux", "architecture": architecture},
            }
        )
    index = canonical({"schemaVersion": 2, "mediaType": LIST, "manifests": listed})
    return where.push_manifest(index, LIST, "latest")


def _send(where: Repository, folder: Path, data: bytes) -> None:
    file = folder / "blob"
    file.write_bytes(data)
    where.push_blob(Blob("blob", sha256(data), len(data), 0), file)


@dataclass
class Request:
    """What a registry was asked."""

    method: str
    path: str
    authorization: str | None


@dataclass
class Misbehaving:
    """Answers as ``answer`` says: status, headers, body; None breaks the connection off."""

    answer: Callable[[Request], tuple[int, dict[str, str], bytes] | None]
    host: str = ""
    asked: list[Request] = field(default_factory=list)


@contextmanager
def misbehaving(
    answer: Callable[[Request], tuple[int, dict[str, str], bytes] | None],
) -> Iterator[Misbehaving]:
    """A server that answers one way."""
    about = Misbehaving(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, self.path, self.headers.get("Authorization"))
            about.asked.append(request)
            found = about.answer(request)
            if found is None:
                self.close_connection = True
                return
            status, headers, body = found
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                with suppress(ConnectionError):  # who asked did not wait
                    self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

        def handle(self) -> None:
            with suppress(ConnectionError):
                super().handle()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        about.host = f"127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield about
        finally:
            server.shutdown()
            thread.join()
