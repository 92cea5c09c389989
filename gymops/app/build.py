"""Bringing every user's projections up to the log, while the app already answers that it lives."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event

from gymops.app.store import Store, StoreUnavailable

PAUSE = 5.0
"""Seconds until a database that failed is asked again."""

_log = logging.getLogger("gymops.app")


def build_all(store: Store, *, tell: Callable[[str], None], stop: Event) -> None:
    """Fold what is missing, user by user, and again where the database failed; until done or stopped."""
    while not stop.is_set():
        try:
            for user in store.users():
                if stop.is_set():
                    return
                folded = store.build(user)
                if folded:
                    tell(f"folded {folded:,} events of {user}")
            return
        except StoreUnavailable as error:
            tell(f"the projections are not built yet: {error.message}; trying again")
            stop.wait(PAUSE)
        except Exception:  # noqa: BLE001 - the thread's end: the app goes on, and /api/ready says what is missing
            _log.exception("building the projections failed")
            tell("the projections cannot be built; gymops projections rebuild may mend them")
            return
