"""What was seen around a backup, kept beside it; and what came back, held to that."""

from __future__ import annotations

import io

from gymops.backup import stream
from gymops.backup.items import content as contents
from gymops.backup.items.beating import counting
from gymops.backup.items.content import Content, Held
from gymops.backup.items.port import Holder
from gymops.backup.items.record import Part
from gymops.backup.port import Tell
from gymops.backup.recovery_point import StoredFile
from gymops.backup.vault import Vault
from gymops.errors import Unverified
from gymops.store.blobs import NoBlob


def keep(vault: Vault, content: Content, key: str) -> StoredFile:
    """Store it, compressed and encrypted."""
    with vault.blobs.write(key) as sink:
        written = stream.store(io.BytesIO(b"".join(content.lines())), sink, vault.keys)
    return StoredFile(key, written.bytes, written.sha256, written.plain)


def held(vault: Vault, holder: Holder, part: Part, name: str, tell: Tell) -> Held:
    """Look at what was restored.

    Raises:
        Unverified: it is gone, or what was seen around the backup cannot be read.
    """
    tell("prove", f"{part.items:,} items of {part.name}")
    if holder.arn(name) is None:
        raise Unverified(f"{name} was deleted meanwhile", hint="run the same again")
    content = _read(vault, part)
    counted = counting(tell, "prove", part.name)
    found, unclear = holder.settled(part, name, content, holder.look(name, counted), counted)
    return contents.hold(content, found, unclear)


def _read(vault: Vault, part: Part) -> Content:
    plain, file = io.BytesIO(), part.content
    try:
        with vault.blobs.read(file.key) as source:
            checked = stream.Checked(source, file.key, file.bytes, file.sha256)
            stream.load(checked, plain, vault.keys, name=file.key)
            checked.finish()
    except (stream.Damaged, NoBlob) as error:
        raise Unverified(
            f"what {part.name} would be held to cannot be read, and the backup may be good: {error.message}",
            hint=f"gymops backup {vault.environment}, and test that",
        ) from None
    return contents.load(plain.getvalue().splitlines())
