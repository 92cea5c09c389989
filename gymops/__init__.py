"""gymops: take an app that grew up on SQLite to production, and prove every step."""

__version__ = "0.1.0"
