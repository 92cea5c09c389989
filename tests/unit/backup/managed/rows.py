"""Seals as those who ask for them are told of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gymops.backup.managed.known import Known
from gymops.eventlog.seal import Seal


def known(seals: Sequence[Seal] = (), **given: Any) -> Known:
    """What is known where these were sealed."""
    return Known(
        by=lambda at: next((one for one in reversed(seals) if one.taken <= at), None),
        back=lambda: reversed(seals),
        **given,
    )
