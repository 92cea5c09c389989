"""Where the app keeps its events and what they fold to: a SQLite file per user, or a Postgres."""

from gymops.app.store.base import (
    Appended,
    IdReused,
    LogEvent,
    NewEvent,
    NotReady,
    Readiness,
    Row,
    Store,
    StoreUnavailable,
)

__all__ = [
    "Appended",
    "IdReused",
    "LogEvent",
    "NewEvent",
    "NotReady",
    "Readiness",
    "Row",
    "Store",
    "StoreUnavailable",
]
