"""The tags of what a restore made."""

ENVIRONMENT, ID, FROM, AT, TEST = (
    f"gymops:{name}" for name in ("restored-environment", "restore", "restored-from", "restored-at", "test")
)
"""Of what, by which plan, from which point, of which time, and whether it may be deleted."""
ALL = (ENVIRONMENT, ID, FROM, AT, TEST)
