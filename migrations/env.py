"""Runs the revisions on the connection it is given, or prints their SQL; configured by gymops.pg.schema."""

from __future__ import annotations

import json
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

RECORDED_SINCE = "0005"


def record(*, heads: set[str], **_: Any) -> None:
    """Write down all that is applied: code that does not know a revision asks what it was."""
    newest_first = context.script.iterate_revisions(tuple(heads), "base") if heads else ()
    applied = [{"id": one.revision, "phase": one.module.phase} for one in newest_first][::-1]
    if any(one["id"] == RECORDED_SINCE for one in applied):
        context.execute(f"UPDATE alembic_version SET history = '{json.dumps(applied)}'")  # noqa: S608 - ours


if context.is_offline_mode():
    context.configure(
        dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, on_version_apply=record
    )
else:
    context.configure(connection=context.config.attributes["connection"], on_version_apply=record)

# One transaction holds a revision, its version row, the record and the timeouts: gymops asks for one
# revision at a time.
with context.begin_transaction():
    for timeout in TIMEOUTS:
        context.execute(timeout)
    context.run_migrations()
