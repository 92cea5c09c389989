"""Who we are to a registry, as docker keeps it: its configuration, its helpers, and AWS's for ECR.

oras reads only ``~/.docker/config.json``; podman keeps its own, and CI sets DOCKER_CONFIG.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gymops.deploy.build.failures import RegistryError

Login = Callable[[str], "tuple[str, str]"]
"""An ECR host's region -> user and password."""

_ECR = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


def find(host: str, environ: Mapping[str, str], *, ecr: Login | None = None) -> tuple[str, str] | None:
    """User and password for a registry; None where nobody signed in.

    Raises:
        RegistryError: a configuration cannot be read, or its helper fails.
    """
    names = (*_HUB, "https://index.docker.io/v1/") if host in _HUB else (host, f"https://{host}")
    for document in _configurations(environ):
        for name in names:
            if found := _stored(document, name) or _helped(document, name):
                return found
    if ecr and (match := _ECR.fullmatch(host)):
        return ecr(match[1])
    return None


def _configurations(environ: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    home = environ.get("HOME", "")
    places = [
        environ.get("REGISTRY_AUTH_FILE", ""),
        f"{environ['DOCKER_CONFIG']}/config.json" if environ.get("DOCKER_CONFIG") else "",
        f"{environ['XDG_RUNTIME_DIR']}/containers/auth.json" if environ.get("XDG_RUNTIME_DIR") else "",
        f"{home}/.config/containers/auth.json" if home else "",
        f"{home}/.docker/config.json" if home and not environ.get("DOCKER_CONFIG") else "",
    ]
    for place in filter(None, places):
        try:
            document = json.loads(Path(place).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "no JSON"
            raise RegistryError(f"{place}: cannot be read: {why}", hint="docker login writes one") from None
        if isinstance(document, dict):
            yield document


def _stored(document: dict[str, Any], name: str) -> tuple[str, str] | None:
    entry = (document.get("auths") or {}).get(name) or {}
    try:
        user, colon, password = base64.b64decode(entry.get("auth", ""), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, TypeError):
        return None
    return (user, password) if colon else None


def _helped(document: dict[str, Any], name: str) -> tuple[str, str] | None:
    helper = (document.get("credHelpers") or {}).get(name)
    helper = helper or (document.get("credsStore") if name in (document.get("auths") or {}) else None)
    if not isinstance(helper, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", helper):
        return None
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"], input=name, capture_output=True, text=True, timeout=30, check=True
        )
        told = json.loads(done.stdout)
        return str(told["Username"]), str(told["Secret"])
    except FileNotFoundError:
        raise RegistryError(
            f"{program}, which docker's configuration names for {name}, is not installed",
            hint=f"install it, or sign in again: docker login {name}",
        ) from None
    except subprocess.CalledProcessError:
        return None  # it knows nobody there
    except (subprocess.TimeoutExpired, ValueError, KeyError, OSError):
        raise RegistryError(f"{program} fails for {name}", hint=f"docker login {name}") from None
