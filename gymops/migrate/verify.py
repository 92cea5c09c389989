"""The proof that ends a migration: the whole source against the whole target."""

from __future__ import annotations

from gymops.eventlog import compare, tables
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.workspace import SqliteLog
from gymops.migrate.phase import Observer
from gymops.migrate.report import Proof


def prove(source: SqliteLog, url: str, observer: Observer) -> Proof:
    """Compare the source, up to its high mark, with the target, both read after the last write."""
    users = source.users
    expected = sum(reading.scan.rows for reading in source.read().values())
    observer.phase("proving", 2 * expected)
    source.read_again(observer.advance)
    log = PostgresLog(url, only=users)
    try:
        mine, theirs = source.digest(), log.digest(observer.advance)
        first: compare.Difference | str | None = None
        if mine.head != theirs.head:
            first = compare.differences(source, log, mine, theirs).first
        elif mine.rejected != theirs.rejected:
            first = (
                f"the rejected rows differ: {mine.rejected.rows:,} in the source,"
                f" {theirs.rejected.rows:,} in the target"
            )
        gap = log.gap(theirs)
        if gap is not None:
            first = f"the positions of user {gap!r} are not 1, 2, 3, ..."
        folded = log.folded_users()
        compared = {
            name: tables.compare(
                tables.given(name, source.table_rows(name), folded),
                tables.given(name, log.table_rows(name), folded),
                tables.TABLES[name],
            )
            for name in sorted(source.tables())
        }
        for name, found in compared.items():
            first = first or (f"table {name}: {found.first}" if not found.equal else None)
        equal = {name: found.equal for name, found in compared.items()}
        side = source.side_streams()
        if side:
            equal["events.extra"] = side == log.side_streams()
            if not equal["events.extra"]:
                first = first or "the side column of events differs"
    finally:
        log.close()
    return Proof(mine, theirs, equal, first)
