"""Taking seals, also from inside of a private network: see ``gymops.eventlog.sealing``."""

from gymops.eventlog.sealing import take

__all__ = ["take"]
