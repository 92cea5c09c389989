"""Which event it is that came back as something else: told by the source, if it still is what was sealed."""

from __future__ import annotations

from hashlib import sha256
from itertools import islice, zip_longest

from gymops.errors import GymopsError
from gymops.eventlog.digest import CHUNK, StreamHasher, record
from gymops.eventlog.event import Event
from gymops.eventlog.log import EventLog
from gymops.eventlog.proof import Broken
from gymops.eventlog.seal import Sealed


def align(broken: Broken, sealed: Sealed, restored: EventLog, live: EventLog) -> str | None:
    """The first event of a broken chunk that is not as it was sealed; None: the source cannot tell.

    The source is believed only if its chunk still hashes as it was sealed.
    """
    try:
        there = _chunk(live, broken, sealed)
        if there is None:
            return None
        begin = (broken.chunk - 1) * CHUNK
        came = list(islice(restored.events(broken.user), begin, begin + len(there)))
    except GymopsError:
        return None
    for position, (one, other) in enumerate(zip_longest(there, came), begin + 1):
        if one is not None and (other is None or record(one) != record(other)):
            return f"user {broken.user!r}, position {position}: {_told(one, other)}"
    return None


def _chunk(live: EventLog, broken: Broken, sealed: Sealed) -> list[Event] | None:
    """The source's events of the chunk; None if they are not the sealed ones."""
    stream, closed = sealed.streams[broken.user], sealed.chunks[broken.user]
    begin = (broken.chunk - 1) * CHUNK
    if broken.chunk <= len(closed):
        found = list(islice(live.events(broken.user), begin, begin + CHUNK))
        hashed = sha256(b"\0" + b"".join(map(record, found))).digest()
        return found if hashed == closed[broken.chunk - 1] else None
    # Not closed: only the head over the whole stream tells.
    hasher, found = StreamHasher(), []
    for position, event in enumerate(islice(live.events(broken.user), stream.events)):
        hasher.add([record(event)])
        if position >= begin:
            found.append(event)
    return found if hasher.stream() == stream else None


def _told(sealed: Event, restored: Event | None) -> str:
    if restored is None:
        return f"event {sealed.event_id} ({sealed.event_type}) is missing"
    if sealed.event_id != restored.event_id:
        return f"event {restored.event_id} came back in the place of {sealed.event_id} ({sealed.event_type})"
    names = [name for name in Event.FIELDS if getattr(sealed, name) != getattr(restored, name)]
    return f"event {sealed.event_id} ({sealed.event_type}) came back with another {', '.join(names)}"
