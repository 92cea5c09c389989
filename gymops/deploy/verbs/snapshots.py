"""A snapshot of the database before what cannot be taken back, waited for."""

from __future__ import annotations

from gymops.clock import ticks
from gymops.deploy.verbs.site import Site
from gymops.errors import GymopsError

_SECONDS = 2 * 3600.0


def take(site: Site, instance: str, name: str) -> str:
    """Take one of this name, or find the one that was begun before; its name, once it can be restored.

    Raises:
        AwsError: it failed, or the instance is in no state for it.
        GymopsError: it is not ready in time.
    """
    site.instances.snapshot(instance, name)
    for gone in ticks(site.clock, timeout=_SECONDS, interval=5.0):
        if site.instances.find(name).ready:
            site.talk.say(f"the snapshot {name} is there")
            return name
        if gone == 0:
            site.talk.say(f"taking the snapshot {name}")
    raise GymopsError(
        f"the snapshot {name} is not ready after two hours",
        hint=f"aws rds describe-db-snapshots --db-snapshot-identifier {name}; then run the same again",
    )
