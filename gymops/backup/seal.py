"""Seals, which lie beside the event log they are of: see ``gymops.eventlog.seal``."""

from gymops.eventlog.seal import FORMAT, Grown, Seal, Sealed, SealError, load, sealed

__all__ = ["FORMAT", "Grown", "Seal", "SealError", "Sealed", "load", "sealed"]
