"""Databases that have the newest schema: one template per server, cloned for each test."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from gymops.clock import SystemClock
from gymops.pg import embedded, schema
from tests.conftest import Databases, Servers


def upgraded(url: str) -> str:
    """Bring a database to the newest schema and give its URL back."""
    schema.upgrade(url, clock=SystemClock())
    return url


class Templates:
    """A database with the newest schema on each server, made when first asked for."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def on(self, server: embedded.Server) -> str:
        """The template's name on this server; it goes away with the server."""
        key = server.url("postgres")
        if key not in self._names:
            name = f"template_{uuid.uuid4().hex}"
            with psycopg.connect(key, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}"')
            upgraded(server.url(name))
            self._names[key] = name
        return self._names[key]


@pytest.fixture(scope="session")
def schema_templates(servers: Servers) -> Templates:
    """Templates live as long as the servers they are on."""
    return Templates()


@pytest.fixture
def gymops_database(
    postgres_server: embedded.Server, schema_templates: Templates, new_database: Databases
) -> str:
    """The URL of a fresh database with the newest schema on the embedded server."""
    return new_database(schema_templates.on(postgres_server))


@pytest.fixture
def any_gymops_database(
    any_server: embedded.Server, schema_templates: Templates, new_any_database: Databases
) -> str:
    """The same on the embedded server, then on the system's."""
    return new_any_database(schema_templates.on(any_server))
