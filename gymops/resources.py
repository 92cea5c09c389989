"""Files shipped with gymops: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def path(name: str) -> Path:
    """The folder or file ``name`` (``migrations``, ``runbooks``) wherever this installation keeps it."""
    inside = _PACKAGE / name
    return inside if inside.exists() else _PACKAGE.parent / name
