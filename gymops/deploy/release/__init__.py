"""Releases: a journal that a killed operation goes on from, one lock for each environment, and a ledger.

All three are small JSON objects in one store, where every write has a condition.
"""
