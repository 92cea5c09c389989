"""Moved to ``gymops.store.objects``."""

from gymops.store.objects import Objects, Stored, StoreError, named

__all__ = ["Objects", "StoreError", "Stored", "named"]
