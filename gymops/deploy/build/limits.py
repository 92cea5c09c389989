"""What Lambda takes, and what is close to it."""

from __future__ import annotations

from collections.abc import Sequence

from gymops.deploy.build.failures import BuildError
from gymops.deploy.build.pack import Packed

DIRECT = 50 * 1024 * 1024
"""Bytes of a zip that can be sent in the call itself; a larger one goes by way of S3."""
UNPACKED = 250 * 1024 * 1024
"""Bytes of function and layers together, once unpacked."""


def check_zip(packed: Sequence[Packed]) -> list[str]:
    """What to know of the sizes.

    Raises:
        BuildError: Lambda would refuse it.
    """
    unpacked = sum(one.blob.unpacked for one in packed)
    if unpacked > UNPACKED:
        largest = ", ".join(f"{path} {megabytes(size)}" for path, size in heaviest(packed)[:5])
        raise BuildError(
            f"{megabytes(unpacked)} unpacked, and Lambda takes {megabytes(UNPACKED)}: {largest}",
            hint="leave packages out (`without` of [app] in gymops.toml), or build an image: --kind image",
        )
    return [
        f"{one.blob.name} has {megabytes(one.blob.size)}: over {megabytes(DIRECT)} it goes by way of S3"
        for one in packed
        if one.blob.size > DIRECT
    ]


def heaviest(packed: Sequence[Packed]) -> list[tuple[str, int]]:
    """The folders that make up most, largest first."""
    sizes: dict[str, int] = {}
    for one in packed:
        for file in one.files:
            parts = file.path.split("/")
            folder = "/".join(parts[:2]) if len(parts) > 1 else file.path
            sizes[folder] = sizes.get(folder, 0) + file.size
    return sorted(sizes.items(), key=lambda item: (-item[1], item[0]))


def megabytes(size: int) -> str:
    """As AWS counts them: of 1,048,576 bytes."""
    return f"{size / 1024 / 1024:,.1f} MB"
