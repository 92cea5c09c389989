"""Wheels as the files they install, without an installer's traces.

What an installer adds depends on the machine: byte code, a script's first line, its own name. So wheels are
read here. Scripts are left out (nothing in a function calls them, and ``python -m`` does), as are headers
and the wheels' own tests; RECORD lists what is really there. Byte code is another Python's: a build for
3.12 by 3.11 cannot make it, and the digest would depend on who built.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import stat
import struct
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from email.parser import BytesParser
from functools import partial
from pathlib import Path, PurePosixPath
from typing import cast
from zlib import error as ZlibError  # noqa: N812

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from gymops.deploy.build.entry import Entry, Stored
from gymops.deploy.build.failures import BuildError
from gymops.deploy.build.patterns import matches
from gymops.deploy.build.target import ELF, Target

_DROPPED = (
    "**/__pycache__/**", "**/*.pyc", "**/tests/**", "*.dist-info/RECORD*", "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED", "*.dist-info/direct_url.json",
)  # fmt: skip
_DATA = re.compile(r"[^/]+\.data/(purelib|platlib)/(.+)")


def entries(wheels: Iterable[Path], target: Target) -> list[Entry]:
    """All files that these wheels install, by path from ``site-packages``.

    Raises:
        BuildError: a wheel is damaged or for another platform, or two wheels bring different files of one
            name.
    """
    found: dict[str, Entry] = {}
    for wheel in wheels:
        listed = []
        for entry in _files(wheel):
            _check_machine(entry, target, wheel)
            other = found.get(entry.path)
            if other and other.read() != entry.read():
                raise BuildError(f"{wheel.name} brings {entry.path}, and so does another wheel")
            found[entry.path] = entry
            listed.append(entry)
        record = _record(listed, wheel)
        found[record.path] = record
    return [found[path] for path in sorted(found)]


def check_whole(wheels: Iterable[Path], target: Target, without: Sequence[str] = ()) -> None:
    """Whether every wheel finds what it needs: the lock was made for one Python, the target may be another.

    Raises:
        BuildError: naming what is missing, and who needs it.
    """
    needs: dict[str, set[str]] = {}
    for wheel in wheels:
        about = BytesParser().parsebytes(_metadata(wheel))
        needs[canonicalize_name(str(about["Name"]))] = {
            canonicalize_name(requirement.name)
            for requirement in _requirements(about.get_all("Requires-Dist", []))
            if requirement.marker is None or requirement.marker.evaluate(target.markers())
        }
    for name in sorted(needs):
        for needed in sorted(needs[name] - set(needs)):
            left = needed in {canonicalize_name(one) for one in without}
            raise BuildError(
                f"{name} needs {needed}, which " + ("[app] leaves out" if left else "the lock lacks"),
                hint="take it out of `without` in gymops.toml"
                if left
                else f"lock for Python {target.python} on Linux",
            )


def _files(wheel: Path) -> Iterator[Entry]:
    archive = _opened(wheel)
    for member in archive.infolist():
        path = _installed(member.filename)
        if member.is_dir() or path is None:
            continue
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BuildError(f"{wheel.name}: {member.filename} is packed in a way that Lambda cannot unpack")
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise BuildError(f"{wheel.name}: a path that leads out: {member.filename}")
        mode = member.external_attr >> 16
        yield Entry(
            path,
            partial(_read, archive, member.filename, wheel),
            bool(mode & stat.S_IXUSR),
            wheel,
            partial(_stored, archive, member),
        )


def _opened(wheel: Path) -> zipfile.ZipFile:
    """Read whole: its thousands of files are asked for one by one, and no file stays open."""
    try:
        return zipfile.ZipFile(io.BytesIO(wheel.read_bytes()))
    except (zipfile.BadZipFile, OSError) as error:
        raise _damaged(wheel, error) from None


def _installed(name: str) -> str | None:
    """Where a wheel's file is put, or None."""
    if data := _DATA.fullmatch(name):
        name = data[2]
    elif name.split("/")[0].endswith(".data"):
        return None
    return None if matches(name, _DROPPED) else name


def _read(archive: zipfile.ZipFile, name: str, wheel: Path) -> bytes:
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, OSError, ZlibError) as error:
        raise _damaged(wheel, error) from None


def _stored(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Stored:
    """The bytes as the wheel has them; its own notes on a file lie before them, of a length of their own."""
    whole = cast("io.BytesIO", archive.fp).getbuffer()
    start = member.header_offset
    name, extra = struct.unpack_from("<2H", whole, start + 26)
    start += 30 + name + extra
    return Stored(member.compress_type, bytes(whole[start : start + member.compress_size]))


def _damaged(wheel: Path, error: Exception) -> BuildError:
    return BuildError(f"{wheel}: cannot be read: {error}", hint=f"delete it and build again: rm {wheel}")


def _check_machine(entry: Entry, target: Target, wheel: Path) -> None:
    """A shared library says for which machine it is; one for another would fail when it is first used."""
    if not re.search(r"\.so(\.[0-9.]+)?$", entry.path) and not entry.executable:
        return
    head = entry.read()[:20]
    if head[:4] == b"\x7fELF" and int.from_bytes(head[18:20], "little") != ELF[target.arch]:
        raise BuildError(f"{wheel.name} holds {entry.path}, which is not for {target.arch}")


def _record(listed: Iterable[Entry], wheel: Path) -> Entry:
    lines = []
    folder = None
    for entry in sorted(listed, key=lambda entry: entry.path):
        if entry.path.endswith(".dist-info/METADATA"):
            folder = entry.path.removesuffix("/METADATA")
        data = entry.read()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        quoted = f'"{entry.path}"' if "," in entry.path else entry.path
        lines.append(f"{quoted},sha256={digest},{len(data)}\n")
    if folder is None:
        raise BuildError(f"{wheel.name}: no wheel: it has no METADATA")
    text = "".join([*lines, f"{folder}/RECORD,,\n"]).encode()
    return Entry(f"{folder}/RECORD", lambda: text, origin=wheel)


def _metadata(wheel: Path) -> bytes:
    archive = _opened(wheel)
    for name in archive.namelist():
        if name.endswith(".dist-info/METADATA"):
            return _read(archive, name, wheel)
    raise BuildError(f"{wheel.name}: no wheel: it has no METADATA")


def _requirements(lines: Iterable[str]) -> Iterator[Requirement]:
    for line in lines:
        try:
            yield Requirement(line)
        except InvalidRequirement:  # an old wheel's own notation: pip let it in
            continue
