"""What PostgreSQL cannot hold though it is a good event: found here, by row, and not in the middle of a load.

Sources: nbtree's BTMaxItemSize (2,704 bytes for an index entry of several parts), jsonb.h's
JENTRY_OFFLENMASK, and MaxAllocSize over the 32 bytes an element takes while a JSONB value is built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

INDEXED_BYTES = 2_600
"""The most that is put into an index, whether it could be compressed or not."""
_SHORT = INDEXED_BYTES // 4
"""Characters that take no more than that in UTF-8."""
_SHORT_WORKOUT = re.compile(rf'"workout_id": (?:"[^"\\]{{0,{_SHORT}}}"|[0-9]{{1,20}}[,}}]|null)')
_JSONB_BYTES = 0x0FFF_FFFF
_ELEMENTS = 1 << 24
_ALWAYS_FITS = 16 << 20
"""Characters; no JSON of this length reaches another limit than those of an index."""


def unusual(event_types: Iterable[str], payloads: Iterable[str]) -> bool:
    """Whether ``check`` could find anything in these rows."""
    return max(map(len, payloads), default=0) > _SHORT or max(map(len, event_types), default=0) > _SHORT


def check(event_type: str, payload: str) -> None:
    """See that PostgreSQL can hold an event; the payload is in canonical form.

    Raises:
        ValueError: naming the column and what is too large.
    """
    _indexed("event_type", event_type)
    if len(payload) > _SHORT and payload.count('"workout_id": ') > len(_SHORT_WORKOUT.findall(payload)):
        workout = _member(payload, "workout_id")
        if workout is not None:
            _indexed("payload: workout_id", workout)
    if len(payload) > _ALWAYS_FITS:
        # An upper bound: commas and brackets within strings are counted too.
        elements = payload.count(",") + payload.count("[") + payload.count("{")
        if elements > _ELEMENTS // 2 or len(payload.encode()) + 12 * elements > _JSONB_BYTES:
            raise ValueError(f"payload: more than JSONB holds: {len(payload):,} characters of JSON")


def check_key(user_id: str, key: str) -> None:
    """See that the key of a small table fits its index.

    Raises:
        ValueError: it is too long.
    """
    _indexed("key", user_id + key)


def _indexed(name: str, text: str) -> None:
    if len(text) > _SHORT:
        size = len(text.encode())
        if size > INDEXED_BYTES:
            raise ValueError(f"{name}: {size:,} bytes, more than the {INDEXED_BYTES:,} an index holds")


def _member(payload: str, name: str) -> str | None:
    document = json.loads(payload, parse_int=str, parse_float=str)
    value = document.get(name) if isinstance(document, dict) else None
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
