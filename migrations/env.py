"""Runs the revisions on the connection it is given, or prints their SQL; configured by gymops.pg.schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.ddl.postgresql import PostgresqlImpl


class GymopsImpl(PostgresqlImpl):
    """Alembic's PostgreSQL, with the version as text instead of varchar(32)."""

    __dialect__ = "postgresql"

    def version_table_impl(self, *, version_table: str, **_: Any) -> sa.Table:
        return sa.Table(version_table, sa.MetaData(), sa.Column("version_num", sa.Text, primary_key=True))


# A revision that cannot have its locks soon gives way instead of queueing every other session up
# behind it; none may run for long, whatever the server's defaults.
lock_timeout = context.config.attributes["lock_timeout"]
TIMEOUTS = (f"SET LOCAL lock_timeout = '{lock_timeout}'", "SET LOCAL statement_timeout = '15min'")

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", dialect_opts={"paramstyle": "named"})
else:
    context.configure(connection=context.config.attributes["connection"])

# One transaction holds a revision, its version row and its timeouts: gymops asks for one revision at a time.
with context.begin_transaction():
    for timeout in TIMEOUTS:
        context.execute(timeout)
    context.run_migrations()
