"""Proofs, also from inside of a private network: see ``gymops.eventlog.proof``."""

from gymops.eventlog.proof import Broken, Proof, prove

__all__ = ["Broken", "Proof", "prove"]
