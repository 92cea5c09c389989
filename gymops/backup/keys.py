"""The keys of backups: one that signs what is recorded, one that what is stored is encrypted to.

Each is made on first use, in a file that only its owner reads, outside of where the backups are; or comes
from the environment; or lies beside the backups, wrapped by a key of KMS (``wrapped``). A backup cannot be
read without the second one: keep a copy of it elsewhere.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gymops.backup.signature import KeyProblem as KeyProblem
from gymops.errors import ConfigError

if TYPE_CHECKING:
    import pyrage

SIGNING = "GYMOPS_SIGNING_KEY"
"""The environment variable with the signing key: 32 bytes in base64."""
IDENTITY = "GYMOPS_BACKUP_KEY"
"""The environment variable with the key of what is stored: ``AGE-SECRET-KEY-1...``."""


@dataclass(frozen=True)
class Keys:
    """Both keys of an environment's backups."""

    signing: Ed25519PrivateKey
    identity: pyrage.x25519.Identity

    @property
    def public(self) -> str:
        """The public half of the signing key, in base64: what others check signatures with."""
        return base64.b64encode(self.signing.public_key().public_bytes_raw()).decode()

    @property
    def recipient(self) -> str:
        """What is stored is encrypted to: ``age1...``. It is no secret."""
        return str(self.identity.to_public())

    def sign(self, data: bytes) -> str:
        """A signature, in base64."""
        return base64.b64encode(self.signing.sign(data)).decode()


@dataclass(frozen=True)
class Secrets:
    """Both keys as they are kept: 32 bytes in base64, and ``AGE-SECRET-KEY-1...``; never printed."""

    signing: str = field(repr=False)
    backup: str = field(repr=False)


def open_keys(folder: Path, environ: Mapping[str, str]) -> Keys:
    """The keys of the environment, or of the folder, where they are made if they are not there yet.

    Raises:
        ConfigError: one of the environment is none.
        KeyProblem: a file cannot be read, or others may read it.
    """
    signing, backup = environ.get(SIGNING), environ.get(IDENTITY)
    secrets = Secrets(
        signing or _kept(folder / "signing.key", _new_seed),
        backup or _kept(folder / "backup.key", _new_identity),
    )
    return parsed(secrets, f"{SIGNING} and {IDENTITY}" if signing or backup else str(folder))


def secrets_there(folder: Path, environ: Mapping[str, str]) -> Secrets | None:
    """The keys of the environment, or of the folder, as they are kept; None where one is missing.

    Raises:
        KeyProblem: a file cannot be read, or others may read it.
    """
    signing, backup = folder / "signing.key", folder / "backup.key"
    if not ((environ.get(SIGNING) or signing.exists()) and (environ.get(IDENTITY) or backup.exists())):
        return None
    return Secrets(environ.get(SIGNING) or _private(signing), environ.get(IDENTITY) or _private(backup))


def new_secrets() -> Secrets:
    """Keys that nobody has."""
    return Secrets(_new_seed(), _new_identity())


def parsed(secrets: Secrets, where: str) -> Keys:
    """The keys that are kept so.

    Raises:
        ConfigError: there is none in it.
    """
    import pyrage

    try:
        return Keys(
            Ed25519PrivateKey.from_private_bytes(base64.b64decode(secrets.signing, validate=True)),
            pyrage.x25519.Identity.from_str(secrets.backup),
        )
    except (ValueError, pyrage.IdentityError):
        raise ConfigError(
            f"{where}: there is no key in it",
            hint="32 bytes in base64; and AGE-SECRET-KEY-1..., as age-keygen writes it",
        ) from None


def _new_seed() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def _new_identity() -> str:
    import pyrage

    return str(pyrage.x25519.Identity.generate())


def _kept(file: Path, make: Callable[[], str]) -> str:
    """What is in a file of ours; it is made if it is not there, by one of any number of processes."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            _put(file, make())
    except OSError as error:
        raise _unreadable(file, error.strerror) from None
    return _private(file)


def _private(file: Path) -> str:
    try:
        if file.stat().st_mode & 0o077:
            raise KeyProblem(f"{file} can be read by others", hint=f"chmod 600 {file}")
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error.strerror if isinstance(error, OSError) else "it is no text") from None


def _unreadable(file: Path, why: str | None) -> KeyProblem:
    return KeyProblem(f"{file}: {why}", hint="put the key back from where you keep a copy")


def _put(file: Path, secret: str) -> None:
    new = file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}")
    with os.fdopen(
        os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii"
    ) as opened:
        opened.write(f"{secret}\n")
        opened.flush()
        os.fsync(opened.fileno())
    try:
        os.link(new, file)  # unlike a move, it leaves the key of who was faster
    except FileExistsError:
        pass
    finally:
        new.unlink()
