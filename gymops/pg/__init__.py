"""PostgreSQL: connections, the embedded server, the schema and the locks."""
