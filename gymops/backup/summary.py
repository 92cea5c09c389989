"""A summary: what all seals up to one say together, so that later readers need not read them all.

It holds that seal itself, word for word: the next one names its digest, so a summary can be put in the place
of what it sums up and the row goes on from it; and what it says must come to that seal's head.
"""

from __future__ import annotations

import json

from gymops.eventlog.digest import EMPTY_HEAD, Stream, fold
from gymops.eventlog.seal import Sealed, SealError
from gymops.eventlog.seal import load as load_seal

FORMAT = 1


def dump(together: Sealed) -> bytes:
    """As it is signed."""
    if together.last is None:
        raise SealError("there is nothing to sum up")
    document = {
        "format": FORMAT,
        "seal": together.last.dump().decode(),
        "streams": {
            user: {
                "events": stream.events,
                "head": stream.head.hex(),
                "chunks": [chunk.hex() for chunk in together.chunks.get(user, ())],
            }
            for user, stream in together.streams.items()
        },
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def load(data: bytes, name: str) -> Sealed:
    """The reverse of ``dump``.

    Raises:
        SealError: it is none, or does not come to what its seal says.
    """
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']}, and this gymops knows {FORMAT}")
        seal = load_seal(document["seal"].encode(), name)
        told = document["streams"].items()
        chunks = {user: [bytes.fromhex(chunk) for chunk in one["chunks"]] for user, one in told}
        streams = {user: Stream(one["events"], bytes.fromhex(one["head"])) for user, one in told}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SealError(
            f"the summary {name} is damaged: {error}", hint="put it back from where the seals are copied to"
        ) from None
    together = Sealed(seal, streams, chunks, {user: fold(row, EMPTY_HEAD) for user, row in chunks.items()})
    if (together.head, sum(one.events for one in streams.values())) != (seal.head, seal.events):
        raise SealError(f"the summary {name} does not add up")
    return together
