"""A function's artefact on disk, unpacked once, and how its process is to be launched."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import platform
import shlex
import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.context import Context
from gymops.local.plane.faults import Fault
from gymops.local.plane.functions import image
from gymops.local.plane.registry import Registry

_RUNTIME = Path(__file__).with_name("runtime.py")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Unpacked:
    """An image on disk."""

    root: Path
    config: dict[str, Any]

    def within(self, path: str) -> Path:
        """Where a path of the image is."""
        return (
            self.root.joinpath(*PurePosixPath(path).parts[1:]) if path.startswith("/") else self.root / path
        )


class Artefacts:
    """Unpacked artefacts, by their content."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._registry = Registry(context)
        self._fetched: dict[str, image.Image] = {}

    def launcher(self, function: dict[str, Any], config: dict[str, Any]) -> bytes:
        """A zip for the emulator's ``provided`` runtime whose ``bootstrap`` starts the function.

        Raises:
            Fault: there is no such artefact, or nothing here to run it with.
        """
        launch = (
            self._of_image(config) if config.get("PackageType") == "Image" else self._of_zip(function, config)
        )
        python = interpreter(str(config.get("Runtime") or f"python3.{sys.version_info.minor}"))
        text = json.dumps(launch, sort_keys=True)
        file = self._context.functions / "launch" / f"{_digest(text.encode())}.json"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.write_text(text, encoding="utf-8")
        # -S and -s: it finds what the artefact brings and what AWS's runtime has, nothing of this machine.
        command = [python, "-S", "-s", "-B", "-u", str(_RUNTIME), str(file)]
        script = f"#!/bin/sh\nexec {shlex.join(command)}\n"
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as archive:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, script)
        return held.getvalue()

    def _of_zip(self, function: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
        code = function.get("code_zip")
        if not code:
            raise Fault("Runtime.NoCode", "the function's code is not there any more: deploy it again")
        task = self._unzipped(code)
        layers = [self._unzipped(layer) for layer in _layers(config)]
        paths = [str(task)]
        for layer in reversed(layers):
            paths += _layer_paths(layer)
        return self._launch(task, paths, {"LAMBDA_TASK_ROOT": str(task)})

    def fetched(self, uri: str) -> image.Image:
        """An image; what is named by its digest is fetched once.

        Raises:
            Fault: it is not there, or not as its digest says.
        """
        found = self._fetched.get(uri)
        if found is None:
            machine = _MACHINES.get(platform.machine(), platform.machine())
            found = image.fetch(uri, self._registry, machine)
            if "@sha256:" in uri:
                self._fetched[uri] = found
        return found

    def unpacked(self, uri: str) -> Unpacked:
        """An image's last layer on disk, and its configuration.

        Raises:
            Fault: as ``image``.
        """
        found = self.fetched(uri)
        root = self._unpacked(found.digest, lambda target: image.unpack(found.layer, target))
        return Unpacked(root, found.config)

    def _of_image(self, config: dict[str, Any]) -> dict[str, Any]:
        uri = str(config["ImageUri"])
        found = self.unpacked(uri)
        written = config.get("ImageConfigResponse", {}).get("ImageConfig") or config.get("ImageConfig") or {}
        entry = [*(written.get("EntryPoint") or found.config.get("Entrypoint") or [])]
        command = [*(written.get("Command") or found.config.get("Cmd") or [])]
        place = written.get("WorkingDirectory") or found.config.get("WorkingDir") or "/var/task"
        environment = dict(one.partition("=")[::2] for one in found.config.get("Env") or [])
        task = found.within(place)
        paths = [str(found.within(part)) for part in environment.pop("PYTHONPATH", "").split(":") if part]
        paths += [str(task), *(str(path) for path in sorted(found.root.rglob("site-packages")))]
        for name in ("PATH", "HOME", "VIRTUAL_ENV"):
            environment.pop(name, None)
        module, arguments = _module([*entry, *command])
        if not module:
            if not command:
                raise Fault("Runtime.InvalidEntrypoint", f"{uri} names no handler and no Python module")
            environment["_HANDLER"] = command[0]
        return self._launch(task, paths, {**environment, "LAMBDA_TASK_ROOT": str(task)}, module, arguments)

    def _launch(
        self,
        task: Path,
        paths: list[str],
        environment: dict[str, str],
        module: str = "",
        arguments: list[str] | None = None,
    ) -> dict[str, Any]:
        return {
            "task": str(task),
            "paths": paths,
            "environment": environment,
            "runtime": os.environ["GYMOPS_LOCAL_RUNTIME"],
            "module": module,
            "arguments": arguments or [],
        }

    def _unzipped(self, content: bytes) -> Path:
        def unzip(target: Path) -> None:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(target)

        return self._unpacked(_digest(content), unzip)

    def _unpacked(self, digest: str, unpack: Any) -> Path:
        """Unpack beside its place and move it there: a process never finds half of it."""
        place = self._context.functions / "code" / digest[:32]
        if not place.exists():
            half = place.with_name(f".{place.name}-{os.getpid()}")
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(parents=True, mode=0o700)
            try:
                unpack(half)
                half.rename(place)
            except OSError:
                shutil.rmtree(half, ignore_errors=True)
                if not place.exists():
                    raise
        return place


def _layers(config: dict[str, Any]) -> list[bytes]:
    resolve = ministack.service("lambda_svc")._resolve_layer_zip
    found = []
    for layer in config.get("Layers") or []:
        content = resolve(layer)
        if content:
            found.append(content)
    return found


def _layer_paths(layer: Path) -> list[str]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = (layer / "python", layer / "python" / "lib" / version / "site-packages")
    return [str(path) for path in candidates if path.is_dir()]


def interpreter(runtime: str) -> str:
    """The interpreter of a runtime: this one without its packages, or another version found on PATH."""
    wanted = ".".join(runtime.removeprefix("python").split(".")[:2])
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if wanted in {"", ours}:
        return str(Path(sys.executable).resolve())
    found = shutil.which(f"python{wanted}")
    if found is None:
        raise Fault(
            "Runtime.InvalidRuntime",
            f"the function wants {runtime}, and this machine has python{ours} only: a function runs with the"
            f" Python found as python{wanted} on PATH",
        )
    return found


def _module(arguments: list[str]) -> tuple[str, list[str]]:
    """The module that a command like ``python -m package.module argument`` runs."""
    if len(arguments) > 2 and PurePosixPath(arguments[0]).name.startswith("python") and "-m" in arguments:
        at = arguments.index("-m") + 1
        return arguments[at], arguments[at:]
    return "", []


@functools.lru_cache(maxsize=8)
def _digest(content: bytes) -> str:
    """Asked for at every call of a function, of a layer of tens of MB too."""
    return hashlib.sha256(content).hexdigest()
