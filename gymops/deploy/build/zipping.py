"""A zip that is the same on every machine: nothing is compressed here.

Files out of wheels keep the bytes they were compressed to by whoever made the wheel; the rest, which is
little, is stored as it is. Packed anew, a zip would depend on the zlib of the machine, and its digest with
it; and it would take most of a build's time. ``zipfile`` cannot copy compressed bytes, hence this.
"""

from __future__ import annotations

import struct
import zlib
from typing import IO

from gymops.deploy.build.entry import Entry, Stored
from gymops.deploy.build.failures import BuildError

_MIDNIGHT, _FIRST_OF_1980 = 0, 1 << 5 | 1  # the earliest a zip can say
_VERSION, _UNIX = 20, 3 << 8  # with Unix, the rights are read
_UTF_8 = 1 << 11
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_MOST_FILES, _MOST_BYTES = 0xFFFF - 1, 0xFFFFFFFF - 1


class ZipWriter:
    """Writes files one after the other, and at the end their list."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._offset = 0
        self._central: list[bytes] = []

    def add(self, entry: Entry, data: bytes) -> None:
        """Write one file; ``data`` is what it holds.

        Raises:
            BuildError: the zip becomes larger than Lambda, and this notation, can take.
        """
        stored = entry.stored() if entry.stored else Stored(0, data)
        name = entry.path.encode()
        about = (
            0 if entry.path.isascii() else _UTF_8,
            stored.method,
            _MIDNIGHT,
            _FIRST_OF_1980,
            zlib.crc32(data),
            len(stored.data),
            len(data),
            len(name),
            0,
        )
        rights = (0o100000 | entry.mode) << 16
        head = _LOCAL.pack(b"PK\3\4", _VERSION, *about) + name
        self._central.append(
            _CENTRAL.pack(b"PK\1\2", _UNIX | _VERSION, _VERSION, *about, 0, 0, 0, rights, self._offset) + name
        )
        self._file.write(head)
        self._file.write(stored.data)
        self._offset += len(head) + len(stored.data)
        if self._offset > _MOST_BYTES or len(self._central) > _MOST_FILES:
            raise BuildError(
                "a zip of more than 65,534 files or 4 GB", hint="build an image instead: --kind image"
            )

    def end(self) -> None:
        """Write the list of all files."""
        listed = b"".join(self._central)
        count = len(self._central)
        self._file.write(listed)
        self._file.write(_END.pack(b"PK\5\6", 0, 0, count, count, len(listed), self._offset, 0))
