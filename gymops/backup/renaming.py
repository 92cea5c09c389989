"""Pointing an environment at a restored database where only a URL leads to its server: the URL stays.

1. What was restored apart, and proved, is loaded into a new database of the same server, beside the one that
   is used; whoever may connect to that one, and how, holds for it as well.
2. It is proved there, before anybody uses it.
3. The two change names in one transaction. The sessions of the one before end; it is kept, as another.
4. The seals go on from what was proved. The server's WAL goes on as well, from one history to the other, so
   that what is received of it restores both.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import LiteralString

from psycopg import sql
from psycopg.conninfo import make_conninfo

from gymops.backup import loaded
from gymops.backup.port import Tell, untold
from gymops.backup.recovery_point import Kind, SealedAt
from gymops.backup.restore import hold
from gymops.backup.restored import NotSwitchedBack, SwitchedBack
from gymops.backup.switch import grown
from gymops.backup.vault import Vault
from gymops.clock import Clock, ticks
from gymops.errors import GateRefused, GymopsError
from gymops.eventlog import sealing
from gymops.eventlog.seal import Seal, Sealed
from gymops.eventlog.sealing import Mark
from gymops.pg.connection import Connection, DatabaseError, connect_plain, redact, translated
from gymops.pg.conninfo import parse
from gymops.pg.programs import reading

_PATIENCE, _PAUSE = 60.0, 0.2
"""Seconds until the last session must have left, and between two tries."""
_IN_USE = "55006"
_BLOCK = 1 << 20
_BYTES = 40
"""Of a name, before what is added to it: 63 is PostgreSQL's most."""

_FACTS = """
SELECT d.datname::text, pg_get_userbyid(d.datdba)::text, to_jsonb(d), pg_encoding_to_char(d.encoding)::text,
    r.rolsuper OR (r.rolcreatedb AND pg_has_role(d.datdba, 'USAGE')),
    r.rolsuper OR pg_has_role('pg_signal_backend', 'USAGE')
        OR NOT EXISTS (SELECT FROM pg_stat_activity
            WHERE datid = d.oid AND NOT pg_has_role(usesysid, 'USAGE')),
    (SELECT system_identifier::text FROM pg_control_system()),
    EXISTS (SELECT FROM pg_prepared_xacts WHERE database = d.datname)
FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user
"""
_LIKE = """
SELECT format('REVOKE ALL ON DATABASE %%I FROM PUBLIC', %(new)s::text) FROM pg_database
WHERE datname = %(old)s AND datacl IS NOT NULL
UNION ALL
SELECT format('GRANT %%s ON DATABASE %%I TO %%s', privilege_type, %(new)s::text,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
    || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_database, aclexplode(datacl) WHERE datname = %(old)s
UNION ALL
SELECT format('ALTER %%s SET %%I TO %%s',
    CASE setrole WHEN 0 THEN format('DATABASE %%I', %(new)s::text)
        ELSE format('ROLE %%I IN DATABASE %%I', pg_get_userbyid(setrole), %(new)s::text) END,
    split_part(one, '=', 1),
    CASE WHEN split_part(one, '=', 1) IN
        ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries')
        AND substr(one, strpos(one, '=') + 1)
            ~ '^("([^"]|"")+"|[[:alnum:]_$]+)(, *("([^"]|"")+"|[[:alnum:]_$]+))*$'
        THEN substr(one, strpos(one, '=') + 1) ELSE quote_literal(substr(one, strpos(one, '=') + 1)) END)
FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase, unnest(setconfig) AS one
WHERE d.datname = %(old)s
"""
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = ANY(%s) AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_STAY = "SELECT count(*) FROM pg_stat_activity WHERE datname = ANY(%s)"
_THERE = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)"
_NOW = "SELECT clock_timestamp(), pg_current_wal_insert_lsn()::text"


@dataclass(frozen=True)
class _Database:
    name: str
    owner: str
    row: dict[str, object]
    """Of pg_database."""
    encoding: str
    may: bool
    """Whether this user may make one beside it and give it another name."""
    ends: bool
    """And end the sessions of others."""
    system: str
    prepared: bool


@dataclass(frozen=True)
class Renaming:
    """How the database of a URL and a restored one change places."""

    url: str
    vault: Vault
    clock: Clock
    tell: Tell = untold

    @property
    def name(self) -> str:
        """Of the database, before as after."""
        parameters = parse(self.url)
        return parameters.get("dbname") or parameters.get("user") or "postgres"

    def kept(self, restore: str) -> str:
        """What the one before is called after that restore."""
        return self._named("before", restore)

    def refuse(self) -> None:
        """See beforehand that the two can change places; nothing is changed.

        Raises:
            GateRefused: this user may not, or it is another server than the one that was backed up.
            DatabaseError: it does not answer.
        """
        found = self._facts()
        last = self.vault.seals.sealed().last
        if last and last.system != found.system:
            raise GateRefused(
                f"{redact(self.url)} is another server than the one whose log was sealed",
                hint=f"gymops runbook show restore: what is restored without --switch becomes the server of"
                f" {self.vault.environment} by hand",
            )
        if found.prepared:
            raise GateRefused(
                f"{found.name} has prepared transactions, and keeps its name as long as it has",
                hint="COMMIT PREPARED or ROLLBACK PREPARED; pg_prepared_xacts lists them",
            )
        if not (found.may and found.ends):
            what = "make databases, and own this one", "ALTER ROLE ... CREATEDB, for the owner"
            if found.may:
                what = "end the sessions of others", "GRANT pg_signal_backend TO it"
            raise GateRefused(
                f"to change places with a restored database the user of {redact(self.url)} must {what[0]}",
                hint=f"{what[1]}; or restore without --switch",
            )

    def begun(self, restore: str) -> bool:
        """Whether the two had changed names by then."""
        with closing(self._aside()) as connection:
            return _there(connection, self.kept(restore))

    def clear(self, restore: str) -> None:
        """Drop what was loaded of a restore that took no place."""
        with closing(self._aside()) as connection:
            if not _there(connection, self.kept(restore)):
                self._drop(connection, self._named("restored", restore))

    def switch(self, binaries: Path, restored: str, point: str, seal: SealedAt, restore: str) -> Seal:
        """Let what was restored take the place of the environment's own; the seal it goes on with. One that
        was killed is ended by the same.

        ``restored``: the URL of what was proved; ``point``: the id it was made from; ``binaries``: programs
        of its version, or newer ones.

        Raises:
            SwitchedBack: it is not what was proved, or cannot be put there; the one before is as it was.
            NotSwitchedBack: and that has not its name.
        """
        if not self.begun(restore):
            try:
                self.clear(restore)
                self._load(binaries, restored, point, self._named("restored", restore))
            except GymopsError as error:
                with suppress(GymopsError):
                    self.clear(restore)
                raise _as_before(error) from None
        with self._undone(restore, seal.number):
            self.tell("switch", f"{self.name}: prove it in its place")
            seals = self.vault.seals
            found = seals.go_on(seal.number, restore, partial(self._sealed, restore), here=True)
            if not self.begun(restore):  # an earlier run recorded that, and its names were given back
                _proved(self._of(self._named("restored", restore)), seals.sealed(found.number))
                self._exchange(restore)
            return found

    def _load(self, binaries: Path, restored: str, point: str, new: str) -> None:
        """A dump as it is stored, for what was loaded apart has lost its owners; or the restored server."""
        self.tell("switch", f"load it into a new database, {new}")
        self._create(new)
        found = self.vault.catalogue.get(point)
        with loaded.restoring(binaries, self._of(new), point, "--no-subscriptions") as sink:
            if found.kind is Kind.DUMP:
                loaded.read(self.vault, found.files[0], sink)
            else:
                with reading(binaries, "pg_dump", restored, "-Fc", "-Z0") as output:
                    while data := output.read(_BLOCK):
                        sink.write(data)

    def _create(self, new: str) -> None:
        found = self._facts()
        row = found.row
        icu = row.get("datlocale") or row.get("daticulocale")
        options: list[tuple[LiteralString, object]] = [
            ("ENCODING", found.encoding), ("LC_COLLATE", row["datcollate"]), ("LC_CTYPE", row["datctype"]),
        ]  # fmt: skip
        if row.get("datlocprovider") == "i":
            options += [("LOCALE_PROVIDER", "icu"), ("ICU_LOCALE", icu)]
        elif row.get("datlocprovider") == "b":
            options += [("LOCALE_PROVIDER", "builtin"), ("BUILTIN_LOCALE", icu)]
        made = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ").format(
            sql.Identifier(new), sql.Identifier(found.owner)
        )
        made += sql.SQL(" ").join(
            sql.SQL("{} {}").format(sql.SQL(name), sql.Literal(value)) for name, value in options
        )
        with translated(), closing(self._aside()) as connection:
            connection.execute(made)
            for (statement,) in connection.execute(_LIKE, {"new": new, "old": found.name}).fetchall():
                connection.execute(statement)

    def _sealed(self, restore: str, before: Sealed, number: int) -> Seal:
        """Prove it, let them change names unless they did, and seal what is there."""
        there = self.begun(restore)
        url = self.url if there else self._of(self._named("restored", restore))
        _proved(url, before)
        more, rejected = grown(url, before)
        if there:
            with closing(connect_plain(url)) as connection:
                mark = sealing.emit(connection, "gymops.seal", str(number))
        else:
            mark = self._exchange(restore)
        return sealing.compose(before, self.vault.environment, more, rejected, mark)

    def _exchange(self, restore: str) -> Mark:
        """The restored one gets the name, the one before keeps its data under another; when, and where in the
        WAL that is behind.
        """
        self.tell("switch", f"{self.name}: the sessions of the one before end, and the two change names")
        with closing(self._aside()) as connection:
            new = self._named("restored", restore)
            self._rename(connection, (self.name, self.kept(restore)), (new, self.name))
            # Behind it, for what is recovered up to a place before it has the names of before.
            with translated():
                row = connection.execute(_NOW).fetchone()
        if row is None:
            raise AssertionError("a query without a row")
        return Mark(row[0].astimezone(UTC), row[1], self._facts().system)

    def _rename(self, connection: Connection, *moves: tuple[str, str]) -> None:
        names = [old for old, _ in moves]
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        for _ in ticks(self.clock, timeout=_PATIENCE, interval=_PAUSE):
            try:
                with translated():
                    connection.execute(_END, (names,))
                    with connection.transaction():
                        connection.execute("SET LOCAL synchronous_commit = on")
                        for old, new in moves:
                            connection.execute(rename.format(sql.Identifier(old), sql.Identifier(new)))
            except DatabaseError as error:
                if error.sqlstate != _IN_USE:
                    raise
            else:
                return
        with translated():
            row = connection.execute(_STAY, (names,)).fetchone()
        raise GymopsError(
            f"{row[0] if row else 'some'} sessions of {names[0]} do not end",
            hint="stop what connects again and again, then the same command",
        )

    @contextmanager
    def _undone(self, restore: str, proved: int) -> Iterator[None]:
        """What fails in this block gives the one before its name back; the other is kept, for it may
        have been written to. Once the seal is recorded that it goes on with, nothing is undone.
        """
        try:
            yield
        except BaseException as error:
            kept, undone = self.kept(restore), self._named("undone", secrets.token_hex(4))
            try:
                begun = self.begun(restore)
                recorded = begun and self._recorded(restore, proved)
                if begun and not recorded:
                    with closing(self._aside()) as connection:
                        self._rename(connection, (self.name, undone), (kept, self.name))
                    self.tell("switch", f"{self.name} has its name back; the other one is {undone}")
            except GymopsError as worse:
                raise NotSwitchedBack(
                    f"{error}; and {self.name} has not its name back: {worse.message}",
                    hint=f"nothing was deleted: the same command goes on with it; or, where there is {kept},"
                    f' ALTER DATABASE "{self.name}" RENAME TO "{undone}" and then'
                    f' ALTER DATABASE "{kept}" RENAME TO "{self.name}" give it back',
                ) from error
            if not isinstance(error, GymopsError):
                raise
            if recorded:
                raise NotSwitchedBack(
                    f"{error.message}; {self.name} is what was restored, and its seal is recorded",
                    hint="the same command ends it",
                ) from error
            if begun:
                raise _as_before(error, f"; what it was meanwhile is kept in {undone}") from None
            with suppress(GymopsError):
                self.clear(restore)
            raise _as_before(error) from None

    def _recorded(self, restore: str, proved: int) -> bool:
        """Whether the seal is that it goes on with."""
        row = takewhile(lambda one: one.number > proved, self.vault.seals.back())
        try:
            return any(one.goes_on and one.goes_on.restore == restore for one in row)
        except GymopsError:
            return False  # nobody knows; what is undone is kept, and can be done again

    def _drop(self, connection: Connection, name: str) -> None:
        with translated():
            connection.execute(_END, ([name],))
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))

    def _facts(self) -> _Database:
        with translated(), closing(connect_plain(self.url)) as connection:
            row = connection.execute(_FACTS).fetchone()
        if row is None:
            raise AssertionError("a query without a row")
        return _Database(*row)

    def _aside(self) -> Connection:
        """A session in another database: neither of the two gets a name while we are in it."""
        return connect_plain(self._of("postgres" if self.name != "postgres" else "template1"))

    def _of(self, database: str) -> str:
        return make_conninfo("", **{**parse(self.url), "dbname": database})

    def _named(self, what: str, restore: str) -> str:
        short = self.name.encode()[:_BYTES].decode(errors="ignore")
        return f"{short}-{what}-{restore[-8:]}"


def _there(connection: Connection, name: str) -> bool:
    with translated():
        row = connection.execute(_THERE, (name,)).fetchone()
    return bool(row and row[0])


def _proved(url: str, before: Sealed) -> None:
    proof = hold(url, before)
    if not proof.passed:
        why = proof.broken[0].describe() if proof.broken else "the rejected rows differ"
        raise GymopsError(f"in its place it is not what was sealed: {why}")


def _as_before(error: GymopsError, more: str = "") -> SwitchedBack:
    return SwitchedBack(
        f"the environment is as it was before: {error.message}{more}",
        hint=error.hint or "look at the server's log",
    )
