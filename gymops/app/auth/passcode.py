"""The owner's passcode: compared in constant time, kept as a scrypt hash where it is kept.

``python -m gymops.app.auth.passcode`` asks for one and prints the hash for GYMOPS_APP_PASSCODE_HASH.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable

from gymops.errors import ConfigError

# OWASP's parameters: 2**15 * 8 * 128 bytes = 32 MB and tens of milliseconds for each try.
_N, _R, _P = 2**15, 8, 3
_MEMORY = 256 * 1024 * 1024

LONGEST = 1024


def make_hash(passcode: str) -> str:
    """``scrypt$n$r$p$salt$hash``, the last two in base64."""
    salt = os.urandom(16)
    return "$".join(
        ["scrypt", str(_N), str(_R), str(_P), _base64(salt), _base64(_scrypt(passcode, salt, _N, _R, _P))]
    )


def plain(passcode: str) -> Callable[[str], bool]:
    """Whether a text is this passcode."""
    # Digests are of equal length, so that the comparison tells nothing by its time.
    key = os.urandom(32)
    expected = _digest(key, passcode)
    return lambda given: hmac.compare_digest(_digest(key, given), expected)


def hashed(passcode_hash: str) -> Callable[[str], bool]:
    """Whether a text is the passcode of which this is the hash.

    Raises:
        ConfigError: it is no hash of ours.
    """
    n, r, p, salt, stored = _parse(passcode_hash)
    return lambda given: hmac.compare_digest(_scrypt(given, salt, n, r, p), stored)


def _parse(text: str) -> tuple[int, int, int, bytes, bytes]:
    try:
        name, n, r, p, salt, stored = text.split("$")
        parsed = int(n), int(r), int(p), base64.b64decode(salt, validate=True), base64.b64decode(stored)
        cost = parsed[0] in {2**power for power in range(14, 18)} and parsed[1] == 8 and 1 <= parsed[2] <= 8
        if name != "scrypt" or not cost or len(parsed[3]) < 16 or len(parsed[4]) != 32:
            raise ValueError(name)
    except ValueError:
        raise ConfigError(
            "GYMOPS_APP_PASSCODE_HASH is no scrypt hash", hint="python -m gymops.app.auth.passcode prints one"
        ) from None
    return parsed


def _scrypt(passcode: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(passcode.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _digest(key: bytes, passcode: str) -> bytes:
    return hmac.digest(key, passcode.encode(), "sha256")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def main() -> None:
    """Ask for a passcode and print its hash."""
    import getpass
    import sys

    passcode = getpass.getpass("Passcode (8 characters or more): ")
    if len(passcode) < 8:
        sys.exit("too short: 8 characters or more")
    if not secrets.compare_digest(passcode.encode(), getpass.getpass("Again: ").encode()):
        sys.exit("the two differ")
    sys.stdout.write(f"{make_hash(passcode)}\n")


if __name__ == "__main__":
    main()
