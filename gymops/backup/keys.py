"""The keys of backups: one that signs what is recorded, one that what is stored is encrypted to.

Each is made on first use, in a file that only its owner reads, outside of where the backups are; or comes
from the environment. A backup cannot be read without the second one: keep a copy of it elsewhere.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyrage
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gymops.errors import ConfigError, GymopsError

SIGNING = "GYMOPS_SIGNING_KEY"
"""The environment variable with the signing key: 32 bytes in base64."""
IDENTITY = "GYMOPS_BACKUP_KEY"
"""The environment variable with the key of what is stored: ``AGE-SECRET-KEY-1...``."""


class KeyProblem(GymopsError):
    """A key is missing, or another one is needed."""

    code = "key"


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


def open_keys(folder: Path, environ: Mapping[str, str]) -> Keys:
    """The keys of the environment, or of the folder, where they are made if they are not there yet.

    Raises:
        ConfigError: one of the environment is none.
        KeyProblem: a file cannot be read, or others may read it.
    """
    signing = environ.get(SIGNING)
    identity = environ.get(IDENTITY)
    seed = signing or _kept(folder / "signing.key", lambda: base64.b64encode(os.urandom(32)).decode())
    secret = identity or _kept(folder / "backup.key", lambda: str(pyrage.x25519.Identity.generate()))
    try:
        return Keys(
            Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed, validate=True)),
            pyrage.x25519.Identity.from_str(secret),
        )
    except (ValueError, pyrage.IdentityError):
        where = f"{SIGNING} and {IDENTITY}" if signing or identity else str(folder)
        raise ConfigError(
            f"{where}: there is no key in it",
            hint="32 bytes in base64; and AGE-SECRET-KEY-1..., as age-keygen writes it",
        ) from None


def verified(public: str, data: bytes, signature: str) -> bool:
    """Whether ``data`` was signed by the owner of a public key."""
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(base64.b64decode(signature), data)
    except (ValueError, InvalidSignature):
        return False
    return True


def _kept(file: Path, make: Callable[[], str]) -> str:
    """What is in a file of ours; it is made if it is not there, by one of any number of processes."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            _put(file, make())
        if file.stat().st_mode & 0o077:
            raise KeyProblem(f"{file} can be read by others", hint=f"chmod 600 {file}")
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise KeyProblem(f"{file}: {why}", hint="put the key back from where you keep a copy") from None


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
