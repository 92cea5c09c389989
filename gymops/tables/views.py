"""Views, as far as PostgreSQL understands their queries."""

from __future__ import annotations

from gymops.eventlog.shapes import quote
from gymops.tables.names import Names, fold
from gymops.tables.overrides import Choices
from gymops.tables.plan import LeftOut, ViewPlan
from gymops.tables.rules import Relations
from gymops.tables.snapshot import Snapshot
from gymops.tables.translate import Translator, UntranslatableError


def planned(
    snapshot: Snapshot, choices: Choices, relations: Relations, names: Names
) -> tuple[list[ViewPlan], list[LeftOut]]:
    """Every view that can be translated, and why the others cannot."""
    views, left = [], []
    given = {view.name.lower(): names.give(view.name) for view in snapshot.schema.views}
    renamed: dict[str, set[str]] = {}
    for columns in relations.columns.values():
        for name, target_name in columns.items():
            renamed.setdefault(name, set()).add(target_name)
    known = {name: quote(next(iter(found))) for name, found in renamed.items() if len(found) == 1}
    ambiguous = {name for name, found in renamed.items() if len(found) > 1}
    relation_names = {name: quote(found) for name, found in {**relations.tables, **given}.items()}
    translator = Translator(known, relation_names, keep=choices.keep_names, closed=False)
    for view in snapshot.schema.views:
        said = choices.views.get(view.name.lower())
        name = given[view.name.lower()]
        if said == "":
            left.append(LeftOut(f"view {view.name}", "gymops.toml says so"))
            continue
        try:
            if said is None and any(token.name and token.value.lower() in ambiguous for token in view.query):
                raise UntranslatableError("columns of one name have others in the target")
            query = said or translator(view.query)
        except UntranslatableError as error:
            left.append(LeftOut(f"view {view.name}", str(error)))
            continue
        listed = [quote(column if choices.keep_names else fold(column)) for column in view.columns]
        head = f"{quote(name)} ({', '.join(listed)})" if listed else quote(name)
        views.append(ViewPlan(view.name, name, f"CREATE VIEW {head} AS {query}"))
    return views, left
