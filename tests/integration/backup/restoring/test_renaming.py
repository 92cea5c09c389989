"""Pointing an environment at a restored database of its own server: the names change, and the URL stays."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from gymops.backup import restore_test
from gymops.backup.audit import audit
from gymops.backup.catalogue import Seals
from gymops.backup.evidence import Expected
from gymops.backup.findings import Kind
from gymops.backup.gather import gather
from gymops.backup.port import Wanted
from gymops.backup.renaming import Renaming
from gymops.backup.restore import Restores
from gymops.backup.restore_test import How
from gymops.backup.restored import NotSwitchedBack, SwitchedBack
from gymops.backup.tiers import DEFAULT
from gymops.clock import SystemClock
from gymops.errors import GateRefused, GymopsError
from gymops.eventlog.seal import Seal
from gymops.pg import embedded, schema
from gymops.pg.conninfo import parse
from tests.conftest import _FAST
from tests.integration.backup.conftest import Backed, vault_in
from tests.integration.backup.restoring.conftest import moment, take

CLOCK = SystemClock()
RESTORE = "20261121T030000Z-1a2b3c4d"
pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Shop:
    """A database among others of a server, whose events were deleted at a known time."""

    backed: Backed
    before: datetime

    @property
    def renaming(self) -> Renaming:
        return Renaming(self.backed.url, self.backed.vault, CLOCK)

    def restores(self) -> Restores:
        home = self.backed.folder / "home"
        return Restores(self.backed.vault, self.backed.url, [self.backed.binaries], home, CLOCK)

    def switch(self, wanted: Wanted | None = None, restore: str = RESTORE) -> Seal:
        """Restored apart, proved, and put in its place."""
        restores = self.restores()
        plan = restores.plan(wanted or Wanted(at=self.before))
        restored = restores.restore(plan)
        try:
            assert restores.prove(plan, restored).passed
            assert restored.url
            assert plan.seal
            assert plan.point
            return self.renaming.switch(self.backed.binaries, restored.url, plan.point, plan.seal, restore)
        finally:
            restores.drop(restored)

    def count(self) -> int:
        (found,) = self.backed.sql("SELECT count(*) FROM events")
        return int(found)

    def databases(self) -> set[str]:
        return set(self.backed.sql("SELECT datname::text FROM pg_database WHERE datname LIKE 'the shop%'"))

    def of(self, name: str, **given: str) -> str:
        return make_conninfo("", **{**parse(self.backed.url), "dbname": name, **given})


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    settings = {**_FAST, "max_prepared_transactions": "2"}
    with embedded.temporary(clock=CLOCK, settings=settings) as server:
        with psycopg.connect(server.url(), autocommit=True) as other:
            other.execute("CREATE TABLE others (n int); INSERT INTO others VALUES (1)")
            other.execute("CREATE ROLE clerk LOGIN")
            other.execute('CREATE DATABASE "the shop"')
            other.execute('REVOKE ALL ON DATABASE "the shop" FROM PUBLIC')
            other.execute('GRANT CONNECT ON DATABASE "the shop" TO clerk')
            other.execute('ALTER DATABASE "the shop" SET search_path TO "$user", public')
            other.execute("""ALTER ROLE clerk IN DATABASE "the shop" SET application_name TO 'a "desk"'""")
        url = make_conninfo("", **{**parse(server.url()), "dbname": "the shop"})
        schema.upgrade(url, clock=CLOCK)
        backed = Backed(url, server.binaries, vault_in(tmp_path, "shop"), tmp_path)
        backed.sql("GRANT SELECT ON events TO clerk")
        backed.append("ann", 1500)
        take(backed, "daily")
        backed.append("ann", 100)
        take(backed, "continuous")
        backed.append("bob", 7)  # not sealed yet
        before = moment(backed)
        backed.append("ann", 20)
        take(backed, "continuous")  # sealed, and to be given up
        backed.sql("ALTER TABLE events DISABLE TRIGGER events_append_only")
        backed.sql("DELETE FROM events WHERE position > 500")
        yield Shop(backed, before)


class App(threading.Thread):
    """Somebody who connects again as soon as he is thrown out."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url, self._ended = url, threading.Event()
        self.thrown_out = 0

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True) as connection:
                    while not self._ended.wait(0.01):
                        connection.execute("SELECT 1")
            except psycopg.Error:
                self.thrown_out += 1

    def __enter__(self) -> App:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()


def held(shop: Shop, wanted: Wanted) -> Any:
    how = How("x", "shop", DEFAULT, shop.backed.vault.seals)
    return restore_test.run(shop.restores(), wanted, how, CLOCK)


def test_the_url_stays_and_the_wal_goes_on_from_one_history_to_the_other(shop: Shop) -> None:
    backed, vault = shop.backed, shop.backed.vault
    damaged = moment(backed)
    with App(backed.url) as app:
        seal = shop.switch()
    assert app.thrown_out
    assert shop.count() == 1607
    assert (seal.number, seal.events) == (4, 1607)
    assert seal.goes_on
    assert (seal.goes_on.number, seal.goes_on.here) == (2, True)
    # What ran before is kept, and what nobody spoke of is untouched.
    kept = shop.renaming.kept(RESTORE)
    assert shop.databases() == {"the shop", kept}
    with psycopg.connect(shop.of(kept)) as old, psycopg.connect(shop.of("gymops")) as other:
        assert old.execute("SELECT count(*) FROM events").fetchone() == (507,)
        assert other.execute("SELECT count(*) FROM others").fetchone() == (1,)
    # Who may connect, and how, is as before; so are the rights within.
    with psycopg.connect(shop.of("the shop", user="clerk")) as clerk:
        assert clerk.execute("SELECT count(*) FROM events").fetchone() == (1607,)
        assert clerk.execute("SHOW application_name").fetchone() == ('a "desk"',)
        assert clerk.execute("SHOW search_path").fetchone() == ('"$user", public',)
    (acl,) = backed.sql("SELECT datacl::text FROM pg_database WHERE datname = current_database()")
    (before,) = backed.sql("SELECT datacl::text FROM pg_database WHERE datname = %s", kept)
    assert acl == before
    # No new base is needed: what is received goes on, and restores both histories, each held to its own.
    found = audit(gather(vault, CLOCK.now()), Expected(), CLOCK.now()).findings
    assert Kind.NO_BASE not in {one.kind for one in found}
    backed.append("cy", 3)
    assert take(backed, "continuous").point is None
    latest = held(shop, Wanted())
    assert (latest.result, latest.events.restored, latest.message) == ("passed", 1610, None)
    assert held(shop, Wanted(at=shop.before)).events.restored == 1600
    # The damage came after its last seal: what comes back of that time is not what was sealed.
    assert held(shop, Wanted(at=damaged)).result == "failed"


def test_one_that_is_dumped_is_put_back_with_its_rights(shop: Shop) -> None:
    backed = shop.backed
    vault = vault_in(backed.folder / "dumped", "shop")
    other = Shop(replace(backed, vault=vault, folder=backed.folder / "dumped"), shop.before)
    dumps = other.backed.taker(method="dump")
    dumps.take(dumps.plan("daily"), CLOCK.now())
    backed.sql("DELETE FROM events")
    assert other.switch(Wanted()).events == 507
    assert other.count() == 507
    with psycopg.connect(shop.of("the shop", user="clerk")) as clerk:
        assert clerk.execute("SELECT count(*) FROM events").fetchone() == (507,)


def test_what_cannot_be_recorded_gives_the_one_before_its_name_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise GymopsError("the store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(Seals, "add", fails)
        with pytest.raises(SwitchedBack, match="as it was before: the store does not answer") as caught:
            shop.switch()
    assert caught.value.exit_code == 5
    # What was written to the other one by then is not lost.
    (undone,) = shop.databases() - {"the shop"}
    assert undone.startswith("the shop-undone-")
    assert undone in str(caught.value)
    with psycopg.connect(shop.of(undone)) as other:
        assert other.execute("SELECT count(*) FROM events").fetchone() == (1607,)
    assert shop.count() == 507
    # And what cannot be loaded leaves nothing behind.
    with psycopg.connect(shop.of("gymops"), autocommit=True) as other:
        other.execute(f'DROP DATABASE "{undone}" WITH (FORCE)')
    shop.backed.sql("DROP OWNED BY clerk")
    shop.backed.sql("DROP ROLE clerk")
    with pytest.raises(SwitchedBack, match='role "clerk" does not exist'):
        shop.switch()
    assert (shop.count(), shop.databases()) == (507, {"the shop"})


def test_once_its_seal_is_recorded_it_stays_and_the_same_ends_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Seals.add

    def interrupted(seals: Seals, seal: Seal) -> None:
        add(seals, seal)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Seals, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            shop.switch()
    kept = shop.renaming.kept(RESTORE)
    assert (shop.count(), shop.databases()) == (1607, {"the shop", kept})
    # Also where the names were given back since.
    with psycopg.connect(shop.of("gymops"), autocommit=True) as other:
        alone(shop)
        other.execute('ALTER DATABASE "the shop" RENAME TO "the shop-put aside"')
        other.execute(f'ALTER DATABASE "{kept}" RENAME TO "the shop"')
    seal = shop.switch()
    assert (seal.number, shop.count()) == (4, 1607)
    assert shop.renaming.begun(RESTORE)


def test_where_it_cannot_be_undone_the_statements_it_names_give_the_name_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Renaming._rename

    def once(renaming: Renaming, *given: Any) -> None:
        if renaming.begun(RESTORE):
            raise GymopsError("somebody stays")
        rename(renaming, *given)

    def fails(*_: object) -> None:
        raise GymopsError("the store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(Renaming, "_rename", once)
        patch.setattr(Seals, "add", fails)
        with pytest.raises(NotSwitchedBack, match="has not its name back: somebody stays") as caught:
            shop.switch()
    assert (caught.value.exit_code, shop.count()) == (6, 1607)
    statements = re.findall(r'ALTER DATABASE "[^"]+" RENAME TO "[^"]+"', caught.value.hint or "")
    assert len(statements) == 2
    with psycopg.connect(shop.of("gymops"), autocommit=True) as other:
        alone(shop)
        for statement in statements:
            other.execute(statement.encode())
    assert shop.count() == 507


def test_a_setting_is_none_of_our_statements(shop: Shop) -> None:
    text = "public;ALTER/**/ROLE/**/clerk/**/SUPERUSER"
    with psycopg.connect(shop.of("the shop", user="clerk"), autocommit=True) as clerk:
        clerk.execute("SELECT set_config('search_path', %s, false)", [text])
        clerk.execute('ALTER ROLE clerk IN DATABASE "the shop" SET search_path FROM CURRENT')
    alone(shop)
    assert shop.switch().events == 1607
    assert shop.backed.sql("SELECT rolsuper::text FROM pg_roles WHERE rolname = 'clerk'") == ["false"]
    with psycopg.connect(shop.of("the shop", user="clerk")) as clerk:
        assert clerk.execute("SHOW search_path").fetchone() == (f'"{text}"',)


def test_who_may_not_is_told_beforehand(shop: Shop) -> None:
    renaming, sql = shop.renaming, shop.backed.sql
    renaming.refuse()
    clerk = replace(renaming, url=shop.of("the shop", user="clerk"))
    with pytest.raises(GateRefused, match="make databases, and own this one"):
        clerk.refuse()
    sql("ALTER ROLE clerk CREATEDB")
    sql('ALTER DATABASE "the shop" OWNER TO clerk')
    with closing(psycopg.connect(shop.backed.url)), pytest.raises(GateRefused, match="end the sessions"):
        clerk.refuse()
    alone(shop)
    clerk.refuse()
    with psycopg.connect(shop.backed.url, autocommit=True) as connection:
        connection.execute("BEGIN; SELECT 1; PREPARE TRANSACTION 'x'")
        with pytest.raises(GateRefused, match="prepared transactions"):
            renaming.refuse()
        connection.execute("ROLLBACK PREPARED 'x'")
    with (
        embedded.temporary(clock=CLOCK, settings=_FAST) as server,
        pytest.raises(GateRefused, match="another server"),
    ):
        replace(renaming, url=server.url()).refuse()


def alone(shop: Shop) -> None:
    """Wait until whoever has left is gone for the server as well."""
    deadline = time.monotonic() + 60
    with psycopg.connect(shop.of("gymops"), autocommit=True) as other:
        query = "SELECT FROM pg_stat_activity WHERE datname = 'the shop' AND usename IS NOT NULL"
        while other.execute(query).fetchone() is not None:
            assert time.monotonic() < deadline
            time.sleep(0.05)


_CHILD = """
import os, signal, sys
from pathlib import Path
from gymops.backup.catalogue import Seals
from gymops.backup.renaming import Renaming
from tests.integration.backup.conftest import Backed, vault_in
from tests.integration.backup.restoring.test_renaming import Shop
from datetime import datetime

folder, url, binaries, at, place = sys.argv[1:]
def dies(owner, name, after):
    real = getattr(owner, name)
    def call(*args, **given):
        if after: real(*args, **given)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, call)
name, _, when = place.partition(" ")
dies(Seals if name in {"add", "go_on"} else Renaming, name, when == "after")
folder = Path(folder)
Shop(Backed(url, Path(binaries), vault_in(folder, "shop"), folder), datetime.fromisoformat(at)).switch()
"""


@pytest.mark.parametrize(
    "place", ["_create after", "_load after", "_rename before", "_rename after", "add before", "go_on after"]
)
def test_killed_anywhere_there_is_one_whole_database_of_the_name_and_the_same_ends_it(
    place: str, shop: Shop
) -> None:
    given = [str(shop.backed.folder), shop.backed.url, str(shop.backed.binaries), shop.before.isoformat()]
    killed = subprocess.run(
        [sys.executable, "-c", _CHILD, *given, place],
        cwd=Path(__file__).parents[4], capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    renamed = place in {"_rename after", "add before", "go_on after"}
    assert shop.count() == (1607 if renamed else 507)
    assert shop.renaming.begun(RESTORE) is renamed
    assert shop.switch().events == 1607
    assert (shop.count(), shop.databases()) == (1607, {"the shop", shop.renaming.kept(RESTORE)})
    assert [one.number for one in shop.backed.vault.seals.read() if one.goes_on] == [4]
    assert shop.backed.vault.seals.sealed().events == 1607
