"""The Alembic revision makes the schema that the move made."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy
from alembic.migration import MigrationContext
from alembic.operations import Operations

from gymops.pg.connection import connect
from gymops.tables import baseline, run, target
from tests.conftest import Databases
from tests.integration.tables.files import make
from tests.integration.tables.test_schema import SCRIPT
from tests.sources import Quiet, tables


def test_a_revision_makes_and_takes_away_the_same_schema(tmp_path: Path, new_database: Databases) -> None:
    script = (
        SCRIPT + "CREATE TABLE colons (x TEXT DEFAULT ' :word', y TEXT CHECK (y <> '%s :no' OR x IS NULL));"
    )
    url = new_database()
    plan = run.plan(make(tmp_path / "any.db", script), url, {}, Quiet())
    module: dict[str, object] = {}
    exec(compile(baseline.revision(plan), "baseline.py", "exec"), module)  # noqa: S102 - as Alembic does
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: connect(url))

    def apply(what: str) -> None:
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            module[what]()  # type: ignore[operator]

    apply("upgrade")
    with connect(url) as connection:
        names = [*plan.contents, *(view.name for view in plan.views)]
        assert target.catalogue(connection, names) == plan.catalogue
    apply("downgrade")
    assert tables(url) == []
    engine.dispose()
