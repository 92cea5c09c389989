"""The productivity app's tables get the types of its document's diagram, and the indexes it names."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from gymops.errors import ConfigError
from tests.integration.tables.files import make, move
from tests.sources import query

SCRIPT = """
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, passwordHash TEXT NOT NULL, createdAt INTEGER);
CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT NOT NULL, period TEXT, targetCount INTEGER DEFAULT 1,
  active INTEGER NOT NULL DEFAULT 1, sortOrder INTEGER, scheduledDate TEXT, createdAt TEXT);
CREATE TABLE completions (id INTEGER PRIMARY KEY, taskId INTEGER REFERENCES tasks (id) ON DELETE CASCADE,
  titleSnapshot TEXT, date TEXT NOT NULL, createdAt TEXT);
CREATE TABLE calorie_entries (date TEXT PRIMARY KEY, calories INTEGER NOT NULL);
CREATE TABLE weight_entries (date TEXT PRIMARY KEY, weight REAL NOT NULL);
CREATE TABLE diary_entries (date TEXT PRIMARY KEY, content TEXT);
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT);
INSERT INTO users VALUES (1, '$2b$10$x', 1709209800000);
INSERT INTO tasks VALUES (1, 'Run', 'daily', 1, 1, 2, '2024-02-29', '2024-02-29 12:30:00');
INSERT INTO completions VALUES (1, 1, 'Run', '2024-02-29', '2024-02-29T12:30:00.000Z');
INSERT INTO calorie_entries VALUES ('2024-02-29', 2100);
INSERT INTO weight_entries VALUES ('2024-02-29', 71.4);
INSERT INTO diary_entries VALUES ('2024-02-29', 'A day more');
INSERT INTO settings VALUES ('theme', 'dark');
"""


@pytest.mark.shows("productivity-fargate", "data")
def test_types_and_indexes_of_the_document(tmp_path: Path, database: str) -> None:
    report = move(make(tmp_path / "app.db", SCRIPT), database, like="productivity")
    assert report.proof.equal
    at = dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC)
    assert query(database, 'SELECT "createdAt" FROM users') == [(at,)]
    task = query(
        database, 'SELECT id, active, "scheduledDate", "createdAt", pg_typeof("targetCount")::text FROM tasks'
    )
    assert task == [(1, True, at.date(), at, "integer")]
    assert query(database, 'SELECT "createdAt", date FROM completions') == [(at, at.date())]
    weight = query(database, "SELECT pg_typeof(weight)::text, weight::text, date FROM weight_entries")
    assert weight == [("numeric", "71.4", at.date())]
    indexes = dict(query(database, "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"))
    assert indexes["tasks_sort_order_active_scheduled_date"].endswith(
        '("sortOrder", active, "scheduledDate")'
    )
    assert indexes["completions_task_id_date"].endswith('("taskId", date)')
    assert {"calorie_entries_pkey", "weight_entries_pkey", "diary_entries_pkey"} <= set(indexes)
    assert move(tmp_path / "app.db", database, like="productivity").plan.there


def test_what_is_said_beside_a_ready_mapping_wins_and_an_unknown_one_is_told(
    tmp_path: Path, database: str
) -> None:
    path = make(tmp_path / "app.db", "CREATE TABLE Tasks (id INTEGER PRIMARY KEY, period TEXT, active INT)")
    with pytest.raises(ConfigError, match=r"migrate\.like: there is no 'todo'"):
        move(path, database, like="todo")
    move(path, database, like="productivity", names="fold", tables={"tasks": {"name": "todo", "indexes": {}}})
    assert query(database, "SELECT count(*), pg_typeof(bool_or(active))::text FROM todo") == [(0, "boolean")]
