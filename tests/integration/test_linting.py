"""The SQL of revisions before a release: what squawk finds, of which revisions, and what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from gymops.errors import ConfigError, SchemaError
from gymops.pg import linting, schema
from gymops.pg.linting import UnsafeSql
from tests.later import Later

LAST = schema.MAX_SCHEMA


@pytest.fixture
def later(tmp_path: Path) -> Later:
    return Later(tmp_path / "later")


def told(later: Later, after: str | None = LAST) -> list[str]:
    said: list[str] = []
    linting.passed(later.migrations, after, said.append)
    return said


def test_what_is_safe_passes_and_only_the_new_is_looked_at(later: Later) -> None:
    later.add("expand", "DROP TABLE exercises")
    done, new = later.ids[-1], later.add("expand", "ALTER TABLE events ADD COLUMN mood text")
    assert told(later, done) == [f"the SQL of {new} was looked through"]
    assert told(later, new) == []
    for seen in (LAST, None, "of another"):
        with pytest.raises(UnsafeSql):
            told(later, seen)


def test_what_is_not_names_the_rule_the_line_and_the_way_out(later: Later) -> None:
    revision = later.add(
        "expand", "CREATE INDEX slow ON events (user_id);\nALTER TABLE events DROP COLUMN extra"
    )
    said: list[str] = []
    with pytest.raises(UnsafeSql) as refused:
        linting.passed(later.migrations, LAST, said.append)
    assert refused.value.exit_code == 4
    assert f"the SQL of {revision}" in refused.value.message
    assert "require-concurrent-index-creation, ban-drop-column" in refused.value.message
    hint = refused.value.hint or ""
    assert "-- squawk-ignore require-concurrent-index-creation" in hint
    assert "has the phase contract" in hint
    assert said[0].startswith(f"{revision}: line ")
    assert "(CREATE INDEX slow ON events (user_id);): require-concurrent-index-creation: During" in said[0]
    assert "(ALTER TABLE events DROP COLUMN extra;): ban-drop-column: Dropping" in said[1]


def test_what_is_meant_so_is_said_in_the_sql(later: Later) -> None:
    later.add(
        "expand",
        "-- Three rows.\n-- squawk-ignore require-concurrent-index-creation\nCREATE INDEX a ON runs (status)",
    )
    assert len(told(later)) == 1


def test_a_contract_may_take_away_and_nothing_else(later: Later) -> None:
    later.contract()
    assert len(told(later)) == 1
    later.add("contract", "ALTER TABLE events RENAME COLUMN extra TO more")
    with pytest.raises(UnsafeSql, match="renaming-column"):
        told(later)


def test_a_revision_without_a_phase_and_a_folder_without_revisions_are_told(
    later: Later, tmp_path: Path
) -> None:
    later.expand()
    file = next((later.migrations / "versions").glob("*_later.py"))
    file.write_text(file.read_text().replace("phase =", "faze ="))
    with pytest.raises(SchemaError, match=f"revision {later.ids[-1]} does not say"):
        told(later)
    with pytest.raises(SchemaError, match="nowhere"):
        linting.passed(tmp_path / "nowhere", None, print)


def test_without_squawk_nothing_is_released(later: Later, monkeypatch: pytest.MonkeyPatch) -> None:
    later.expand()
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(ConfigError, match="squawk is not installed"):
        told(later)
