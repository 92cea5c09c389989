"""``gymops attach --abandon`` while two databases change names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from gymops.backup.managed.switching import Change
from gymops.cli import attach, context, managed, sites
from gymops.deploy.verbs import switch
from gymops.errors import GateRefused
from gymops.store.records import plain

CHANGE = Change("x-1", "shop", "db-1", "shop-before-1", "db-2", "shop-was", 7)
SITE: Any = SimpleNamespace(deployment=SimpleNamespace(name="prod"))


def begun(monkeypatch: pytest.MonkeyPatch, change: Change | None, called: str | None) -> None:
    found = SimpleNamespace(name=called) if called else None
    databases = SimpleNamespace(of=lambda resource: found if resource == CHANGE.old else None)
    monkeypatch.setattr(switch, "begun", lambda _: plain(change))
    there = SimpleNamespace(aws=SimpleNamespace(databases=databases))
    monkeypatch.setattr(managed, "backups", lambda *_: there)


def test_it_is_refused_while_neither_is_sure_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    begun(monkeypatch, CHANGE, "shop-before-1")
    with pytest.raises(GateRefused, match="prod's database is called shop-before-1 now") as told:
        attach._need_names(SITE, SITE)
    assert "gymops restore prod --to shop-was --switch" in (told.value.hint or "")


def test_the_command_asks_before_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    begun(monkeypatch, CHANGE, "shop-before-1")
    monkeypatch.setattr(context, "settings", lambda _: SITE)
    monkeypatch.setattr(sites, "site", lambda *_, **__: SITE)
    done = CliRunner().invoke(attach.command, ["prod", "--abandon", "op-1"])
    assert isinstance(done.exception, GateRefused)


@pytest.mark.parametrize(("change", "called"), [(None, None), (CHANGE, "shop"), (CHANGE, None)])
def test_it_is_not_where_nothing_was_changed_or_is_there(
    monkeypatch: pytest.MonkeyPatch, change: Change | None, called: str | None
) -> None:
    begun(monkeypatch, change, called)
    attach._need_names(SITE, SITE)
