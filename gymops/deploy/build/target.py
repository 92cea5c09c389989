"""What an artefact is built for: an architecture, a Python and a C library, whatever machine builds it."""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass

from gymops.deploy.artefact import Arch, Kind
from gymops.errors import ConfigError

MACHINES: dict[Arch, str] = {"arm64": "aarch64", "x86_64": "x86_64"}
"""Ours, which is Lambda's, and the kernel's, which is the wheels'."""
PLATFORMS: dict[Arch, str] = {"arm64": "arm64", "x86_64": "amd64"}
"""The same for images."""
ELF: dict[Arch, int] = {"arm64": 183, "x86_64": 62}
"""``e_machine`` of its binaries."""

DEFAULT_PYTHON = "3.12"
"""AWS's runtimes before 3.12 stand on a C library that today's wheels are too new for."""

_OLDEST = 11
_AMAZON_LINUX_2, _AMAZON_LINUX_2023 = 26, 34
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True)
class Target:
    """An architecture, a Python (``3.12``) and the newest glibc 2.x that wheels may ask for."""

    arch: Arch
    python: str
    glibc: int

    @classmethod
    def of(cls, kind: Kind, arch: Arch, python: str) -> Target:
        """What AWS runs: a zip on its own runtime, an image on what the image brings.

        Raises:
            ConfigError: a Python that the runtimes do not have.
        """
        if not re.fullmatch(r"3\.\d{1,2}", python) or int(python[2:]) < _OLDEST:
            raise ConfigError(
                f"--python {python}: a Python of 3.{_OLDEST} or later is expected",
                hint=f"for example --python {DEFAULT_PYTHON}",
            )
        old = kind == "zip" and int(python[2:]) < 12
        return cls(arch, python, _AMAZON_LINUX_2 if old else _AMAZON_LINUX_2023)

    @classmethod
    def host(cls) -> Target:
        """This machine and this Python: what the local AWS runs functions with.

        Raises:
            ConfigError: it is no Linux of an architecture that Lambda has.
        """
        for arch, machine in MACHINES.items():
            if platform.machine() == machine and sys.platform == "linux":
                libc = os.confstr("CS_GNU_LIBC_VERSION") or "glibc 2.17"
                return cls(
                    arch,
                    f"{sys.version_info[0]}.{sys.version_info[1]}",
                    int(libc.rpartition(".")[2]),
                )
        raise ConfigError(
            f"--arch host: {sys.platform} on {platform.machine()} runs no function",
            hint="build for arm64 or x86_64",
        )

    @property
    def key(self) -> str:
        """A folder's name for what is kept for this target."""
        return f"cp{self.python.replace('.', '')}-{MACHINES[self.arch]}-glibc2.{self.glibc}"

    def tags(self) -> list[str]:
        """The wheels' platform tags, newest C library first."""
        oldest = 17 if self.arch == "arm64" else 5
        found = []
        for minor in range(self.glibc, oldest - 1, -1):
            found.append(f"manylinux_2_{minor}_{MACHINES[self.arch]}")
            if minor in _LEGACY:
                found.append(f"{_LEGACY[minor]}_{MACHINES[self.arch]}")
        return found

    def markers(self) -> dict[str, str]:
        """What a requirement's marker is asked about: the target, and not the machine that builds."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": MACHINES[self.arch],
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }

    def __str__(self) -> str:
        return f"Python {self.python} on {self.arch} with glibc 2.{self.glibc} or older"
