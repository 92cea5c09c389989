"""What is stored goes once through compression, encryption and hash; and back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import pyrage
import zstandard

from gymops.backup.keys import KeyProblem, Keys
from gymops.errors import GymopsError
from gymops.eventlog.log import Progress
from gymops.store.objects import StoreError

_LEVEL = 1
"""zstd's fastest: a backup is read and written once, and the disk is the slower part."""
_THREADS = 2
"""That compress beside the one that reads, encrypts and writes."""
_BLOCK = 1 << 20


class Damaged(GymopsError):
    """What was stored is not what was written."""

    code = "damaged"


class Writer(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> object:
        """Take some."""


class Reader(Protocol):
    """Where bytes come from."""

    def read(self, size: int = -1, /) -> bytes:
        """Some; none at the end."""


@dataclass(frozen=True)
class Written:
    """What was stored."""

    bytes: int
    sha256: str
    """Of the stored bytes."""
    plain: int
    """Bytes before compression."""


class _Out:
    """Passes on what is written."""

    def __init__(self, to: Writer) -> None:
        self._to = to
        self.failed: Exception | None = None
        """What ended the writing: on its way through age it would become another error."""

    def write(self, data: bytes) -> int:
        try:
            self._to.write(data)
        except Exception as error:
            self.failed = error
            raise
        return len(data)

    def flush(self) -> None:
        """Nothing is held here."""


class _Stored(_Out):
    """The same, counted and hashed."""

    def __init__(self, to: Writer) -> None:
        super().__init__(to)
        self._hash = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        written = super().write(data)
        self._hash.update(data)
        self.bytes += written
        return written

    def digest(self) -> str:
        return self._hash.hexdigest()


class _In:
    """Passes on what is read, counted."""

    def __init__(self, of: Reader) -> None:
        self._of = of
        self.bytes = 0
        self.failed: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._of.read(size)
        except Exception as error:
            self.failed = error
            raise
        self.bytes += len(data)
        return data


def store(source: Reader, target: Writer, keys: Keys) -> Written:
    """Compress, encrypt and hash in one pass; nothing is held but a few blocks."""
    plain, stored = _In(source), _Stored(target)
    compressor = zstandard.ZstdCompressor(level=_LEVEL, threads=_THREADS)
    compressed = compressor.stream_reader(cast(BinaryIO, plain), read_size=_BLOCK)
    try:
        pyrage.encrypt_io(compressed, stored, [keys.identity.to_public()])
    except (pyrage.EncryptError, OSError) as error:
        raise plain.failed or stored.failed or error from None
    return Written(stored.bytes, stored.digest(), plain.bytes)


def load(source: Reader, target: Writer, keys: Keys, *, name: str) -> None:
    """The reverse.

    Raises:
        KeyProblem: it was encrypted to another key.
        Damaged: it is not what was written.
    """
    stored, plain = _In(source), _Out(target)
    try:
        with zstandard.ZstdDecompressor().stream_writer(cast(BinaryIO, plain), closefd=False) as decompressed:
            pyrage.decrypt_io(stored, decompressed, [keys.identity])
    except (pyrage.DecryptError, zstandard.ZstdError, OSError) as error:
        if cause := stored.failed or plain.failed:
            raise cause from None
        if "No matching keys" in str(error):
            raise KeyProblem(f"{name} is encrypted to another key", hint=_HINT) from None
        raise Damaged(f"{name} is damaged: {error}", hint=_OTHERS) from None


_OTHERS = "gymops backups lists others"
_HINT = "use the key it was made with: GYMOPS_BACKUP_KEY, or the file backup.key"


class Told:
    """Passes on what is read, and tells how much it was."""

    def __init__(self, of: Reader, progress: Progress) -> None:
        self._of, self._progress = of, progress

    def read(self, size: int = -1, /) -> bytes:
        """Some; none at the end."""
        data = self._of.read(size)
        self._progress(len(data))
        return data


class Checked:
    """Passes on what is read of a stored file; at the end it was what was stored, or that is said."""

    def __init__(self, of: Reader, name: str, size: int, sha256: str) -> None:
        self._of, self._name, self._expected = of, name, (size, sha256)
        self._hash, self._bytes = hashlib.sha256(), 0

    def read(self, size: int = -1, /) -> bytes:
        """Some; none at the end."""
        data = self._of.read(size)
        self._hash.update(data)
        self._bytes += len(data)
        return data

    def finish(self) -> None:
        """Read what is left.

        Raises:
            Damaged: it is not what was stored.
        """
        while self.read(_BLOCK):
            pass
        if (self._bytes, self._hash.hexdigest()) != self._expected:
            raise Damaged(f"{self._name} is not what was stored", hint=_OTHERS)


def no_room(error: OSError, folder: Path) -> StoreError:
    """What the operating system refused while something was unpacked."""
    hint = "make room on the disk" if error.errno == ENOSPC else "check the folder and its permissions"
    return StoreError(f"{error.filename or folder}: {error.strerror}", hint=hint)


def blocks(source: Reader) -> Iterator[bytes]:
    """What is read, block by block."""
    while data := source.read(_BLOCK):
        yield data


def digest(source: Reader) -> str:
    """The SHA-256 of what is read."""
    found = hashlib.sha256()
    for data in blocks(source):
        found.update(data)
    return found.hexdigest()
