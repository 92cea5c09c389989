"""What the emulator asks of Docker, answered with processes of this machine."""

from __future__ import annotations

import ipaddress
import platform
import secrets
import socket
import threading
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.context import Context
from gymops.local.plane.ecs.processes import Process
from gymops.local.plane.faults import Fault
from gymops.local.plane.functions.artefact import Artefacts, interpreter

_NET = ipaddress.ip_network("127.78.0.0/16")
_ONLY = "127.0.0.1"


class Daemon:
    """A Docker client, as far as the emulator's ECS uses one."""

    def __init__(self, context: Context, artefacts: Artefacts) -> None:
        self.containers = Containers(context, artefacts)
        self.images = Images(artefacts)


@dataclass
class Digest:
    """An image that is there."""

    id: str

    def tag(self, *_: Any, **__: Any) -> bool:
        """Nothing is cached under a name."""
        return True


class Images:
    """Images, by what they are called."""

    def __init__(self, artefacts: Artefacts) -> None:
        self._artefacts = artefacts

    def get_registry_data(self, image: str, **_: Any) -> Digest:
        """The digest that a tag has now."""
        return Digest(f"sha256:{self._artefacts.fetched(image).digest}")

    def pull(self, image: str, **_: Any) -> Digest:
        """Fetched when it is run; whether it is there is told then."""
        return Digest(image)


class Containers:
    """Containers that run."""

    def __init__(self, context: Context, artefacts: Artefacts) -> None:
        self._context = context
        self._artefacts = artefacts
        self._there: dict[str, Process] = {}
        self._lock = threading.Lock()

    def run(
        self,
        image: str,
        *,
        environment: dict[str, str],
        command: list[str] | None = None,
        entrypoint: list[str] | None = None,
        working_dir: str = "",
        **_: Any,
    ) -> Process:
        """Start one.

        Raises:
            _ImagePullError: the image is not there.
            Fault: its command cannot run here.
        """
        try:
            found = self._artefacts.unpacked(image)
        except Fault as fault:
            raise ministack.service("ecs")._ImagePullError(fault.message) from fault
        config = found.config
        default = [*(config.get("Cmd") or [])] if entrypoint is None else []
        words = [*(entrypoint or config.get("Entrypoint") or []), *(command or default)]
        own = dict(one.partition("=")[::2] for one in config.get("Env") or [])
        paths = [str(found.within(part)) for part in own.get("PYTHONPATH", "").split(":") if part]
        folder = found.within(working_dir or config.get("WorkingDir") or "/")
        paths += [str(folder), *(str(path) for path in sorted(found.root.rglob("site-packages")))]
        kind, what, arguments = started(words, found.root, folder, image)
        launch = {
            "address": address(), "folder": str(folder), "paths": paths, "kind": kind, "what": what,
            "arguments": arguments,
            "environment": {
                "HOME": "/tmp",  # noqa: S108 - as in the image
                **own, **{name: str(text) for name, text in environment.items()}, **self._told(),
            },
        }  # fmt: skip
        python = interpreter(own.get("PYTHON_VERSION", ""))
        process = Process(python, launch, self._context.functions / "launch", self._forget)
        with self._lock:
            self._there[process.id] = process
        return process

    def get(self, identifier: str) -> Process:
        """One that was started and not removed."""
        return self._there[identifier]

    def _forget(self, identifier: str) -> None:
        with self._lock:
            self._there.pop(identifier, None)

    def _told(self) -> dict[str, str]:
        """Where AWS is, and who the task is to it; the emulator says where Docker would find it."""
        return {
            "AWS_ENDPOINT_URL": self._context.settings.url,
            "AWS_REGION": ministack.region(), "AWS_DEFAULT_REGION": ministack.region(),
            "AWS_ACCESS_KEY_ID": ministack.account(), "AWS_SECRET_ACCESS_KEY": "local",
        }  # fmt: skip


def started(words: list[str], root: Path, folder: Path, image: str) -> tuple[str, str, list[str]]:
    """What a command comes to in this machine's Python: a module, code or a file, and its arguments.

    Raises:
        Fault: it is no Python.
    """
    name = PurePosixPath(words[0]).name if words else ""
    rest = words[1:]
    if name.startswith("python"):
        while rest and rest[0].startswith("-") and rest[0] not in {"-m", "-c"}:
            rest = rest[1:]
        if len(rest) > 1 and rest[0] in {"-m", "-c"}:
            return ("module" if rest[0] == "-m" else "code"), rest[1], rest[2:]
        if rest and (file := _inside(root, folder, rest[0])).is_file():
            return "file", str(file), rest[1:]
    elif words:
        found = [_inside(root, folder, words[0]), *sorted(root.rglob(f"bin/{name}"))]
        for file in found:
            if file.is_file() and b"python" in file.read_bytes()[:200].partition(b"\n")[0]:
                return "file", str(file), rest
    raise Fault(
        "CannotStartContainerError",
        f"{image} starts {' '.join(words) or 'nothing'}, and the local AWS runs Python that is in an image's"
        " last layer",
    )


def address() -> str:
    """A loopback address for one task; where only 127.0.0.1 exists (macOS) it is that."""
    if platform.system() != "Linux":
        return _ONLY
    while True:
        chosen = str(_NET[secrets.randbelow(_NET.num_addresses - 2) + 1])
        with socket.socket() as probe:
            probe.bind((chosen, 0))
        return chosen


def _inside(root: Path, folder: Path, name: str) -> Path:
    path = PurePosixPath(name)
    return root.joinpath(*path.parts[1:]) if path.is_absolute() else folder / path
