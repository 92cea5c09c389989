"""Moving SQLite event logs to PostgreSQL: plan, copy, verify, record."""
