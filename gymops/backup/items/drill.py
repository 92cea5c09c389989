"""Spoil a restored table on purpose: the test must notice, and name what was spoilt."""

from __future__ import annotations

from gymops.backup.items import content
from gymops.backup.items.backups import Tables
from gymops.errors import ConfigError

KINDS = ("changed-row", "missing-event")
"""Those of the faults that a table can have and a test can tell; what is there besides may be right."""


def spoil(tables: Tables, names: tuple[str, ...], kind: str) -> str:
    """Change or delete the first item of the first table that has any; what was done."""
    for name in names:
        table = tables.find(name)
        found = {content.key(one, table.keys): one for one in tables.items(name)} if table else {}
        if table is None or not found:
            continue
        key, item = min(found.items(), key=lambda one: one[0])
        if kind == "missing-event":
            tables.remove(name, {part: item[part] for part in table.keys})
            return f"the item {key} deleted"
        tables.put(name, {**item, "gymops-drill": {"BOOL": True}})
        return f"the item {key} changed"
    raise ConfigError("there is no item to spoil", hint="leave --drill out")
