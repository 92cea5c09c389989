"""Places in the WAL, and the names of its segments."""

from __future__ import annotations


def parse(text: str) -> int:
    """``0/16B3748`` as a number of bytes."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


def spell(place: int) -> str:
    """The reverse of ``parse``."""
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def segment(timeline: int, place: int, size: int) -> str:
    """The name of the segment, of ``size`` bytes, that holds a place."""
    number, per = place // size, (1 << 32) // size
    return f"{timeline:08X}{number // per:08X}{number % per:08X}"


def start(name: str, size: int) -> int:
    """Where a segment begins."""
    return (int(name[8:16], 16) * ((1 << 32) // size) + int(name[16:24], 16)) * size


def timeline(name: str) -> int:
    """The timeline of a segment."""
    return int(name[:8], 16)
