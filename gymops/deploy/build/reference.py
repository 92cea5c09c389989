"""An image's name: ``[registry/]repository[:tag][@sha256:...]``, as docker reads it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from gymops.errors import ConfigError

_HUB = "docker.io"
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Reference:
    """A registry's host (with its port), a repository there, and which image of it."""

    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read the notation.

        Raises:
            ConfigError: it is none.
        """
        rest, at, digest = text.partition("@")
        host, slash, path = rest.partition("/")
        if not slash or not ("." in host or ":" in host or host == "localhost"):
            host, path = _HUB, rest if slash else f"library/{rest}"
        elif host == _HUB and "/" not in path:
            path = f"library/{path}"
        repository, colon, tag = path.partition(":")
        wrong = (
            not _HOST.fullmatch(host)
            or not _NAME.fullmatch(repository)
            or (colon and not _TAG.fullmatch(tag))
            or (at and not _DIGEST.fullmatch(digest))
        )
        if wrong:
            raise ConfigError(
                f"{text!r} names no image", hint="write it as registry/repository[:tag][@sha256:...]"
            )
        return cls(host, repository, tag or None, digest or None)

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.host}/{self.repository}"

    @property
    def address(self) -> str:
        """Where its API is: plain HTTP on this machine only, as docker has it."""
        host = "registry-1.docker.io" if self.host == _HUB else self.host
        return f"{'http' if _loopback(host) else 'https'}://{host}"

    @property
    def wanted(self) -> str:
        """What to ask for: the digest, or the tag."""
        return self.digest or self.tag or "latest"

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def _loopback(host: str) -> bool:
    name = host.rpartition(":")[0] or host
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"
