"""The schema of a plan as an Alembic revision: where an app's own migrations begin."""

from __future__ import annotations

import re

from gymops.eventlog.shapes import quote
from gymops.tables import target
from gymops.tables.plan import Plan

_BIND = re.compile(r"(?<![:\w\\]):(?=\w)")


def revision(plan: Plan) -> str:
    """A module that makes what the plan makes, without the rows."""
    rules = [(table, rule) for table in plan.tables for rule in table.rules]
    made = [target.create(table) for table in plan.tables]
    made += [target.statement(*one) for one in rules if one[1].what != "foreign key"]
    made += [target.statement(*one) for one in rules if one[1].what == "foreign key"]
    made += [view.query for view in plan.views]
    views = [f"DROP VIEW {quote(view.name)}" for view in reversed(plan.views)]
    names = ", ".join(quote(table.name) for table in plan.tables)
    return (
        '"""The schema that gymops migrate made of a SQLite file; a database that has it is stamped."""\n\n'
        "from alembic import op\n\n"
        'revision = "baseline"\ndown_revision = None\nbranch_labels = None\ndepends_on = None\n\n'
        f"MADE = (\n{_listed(made)})\nGONE = (\n{_listed([*views, f'DROP TABLE {names}'])})\n\n\n"
        "def upgrade() -> None:\n    for statement in MADE:\n        op.execute(statement)\n\n\n"
        "def downgrade() -> None:\n    for statement in GONE:\n        op.execute(statement)\n"
    )


def _listed(statements: list[str]) -> str:
    # Alembic takes a word behind a single colon for a parameter.
    return "".join(f"    {_BIND.sub(_escaped, one)!r},\n" for one in statements)


def _escaped(_: re.Match[str]) -> str:
    return "\\:"
