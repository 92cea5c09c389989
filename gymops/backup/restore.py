"""Restoring a server of one's own: plan, fetch, unpack, recover apart, check, prove, keep.

1. Every segment of the WAL that is needed is fetched and was what was stored, before anything is started.
2. The base is unpacked into a private folder, and recovers there (``isolated``), tied to this process.
3. How far it came is told by its timeline, never by its programs; the seals on that way must come back.
4. What is kept moves to its name in one step, when it was proved; what is killed before leaves nothing that
   the next run does not sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from gymops.backup import base, contents, isolated, loaded, lsn, targets, unfinished, work
from gymops.backup.isolated import NotRecovered
from gymops.backup.lsn import spell
from gymops.backup.port import Restored, RestorePlan, Tell, Wanted, untold
from gymops.backup.recovery_point import Kind, RecoveryPoint, SealedAt, new_id
from gymops.backup.targets import Target
from gymops.backup.vault import Vault
from gymops.backup.wal import Stored, Wal
from gymops.clock import Clock
from gymops.errors import GateRefused, Unverified
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.proof import Proof, prove
from gymops.eventlog.seal import Sealed
from gymops.pg import cluster, embedded
from gymops.pg.binaries import major
from gymops.pg.connection import connect_plain, translated
from gymops.pg.conninfo import parse
from gymops.pg.embedded import Server
from gymops.store.blobs import NoBlob

_FETCHERS = 4
_HERE = "restored"
_STEP = 64_000_000
"""Bytes between two words of progress."""


@dataclass
class _Live:
    """A restored server of this process."""

    server: Server
    target: Target
    folder: ExitStack
    """Where it lies; gone with it, unless it is kept."""
    reached: int | None
    """The place its recovery came to; None of a dump."""
    kept: bool = False


@dataclass
class Restores:
    """Restores of one environment's own server.

    ``url`` says only which database of it is read, and as whom: nothing connects to it.
    """

    vault: Vault
    url: str
    programs: Sequence[Path]
    """Folders of PostgreSQL's programs: those of the server's major version are needed."""
    home: Path
    """Where what is restored under no other name goes."""
    clock: Clock
    lasted: Callable[[str], float | None] = lambda _: None
    """How long the last restore of a kind took."""
    _targets: dict[str, Target] = field(default_factory=dict, init=False)
    _live: dict[str, _Live] = field(default_factory=dict, init=False)

    def plan(self, wanted: Wanted) -> RestorePlan:
        """What would be done; nothing is.

        Raises:
            OutOfReach, NoPoint, WalGap, Forged: see ``targets.choose``.
            GateRefused: what it would be restored to is there already.
            Unverified: no programs of the server's version are here.
        """
        target = targets.choose(self.vault, wanted)
        point = target.point
        name = new_id(self.clock.now())
        to = (Path(wanted.to).expanduser() if wanted.to else self.own / name).absolute()
        if to.exists() or to.is_symlink():
            raise GateRefused(
                f"{to} is there already, and a restore never goes over anything",
                hint="choose another name with --to",
            )
        binaries = self._programs(point)
        newest = next(self.vault.seals.back(), None)
        lost = newest.events - target.seal.events if newest and target.seal else None
        self._targets[name] = target
        return RestorePlan(
            id=name, environment=self.vault.environment, source=point.system or point.server, point=point.id,
            at=target.at or (target.lost_since if target.wal else None), to=str(to), seal=target.seal,
            last_seconds=self.lasted(point.kind.value), lost_since=target.lost_since,
            lost_events=max(0, lost) if lost is not None else None, test=wanted.test,
            settings={
                "recovery point": f"{point.kind} of {point.ended:%Y-%m-%d %H:%M:%S} UTC, tier {point.tier},"
                f" {point.size / 1e6:,.1f} MB",
                "wal": f"{len(target.wal)} segments" if target.wal else "what is in it",
                "programs": f"PostgreSQL {major(binaries)}",
            },
        )  # fmt: skip

    def restore(self, plan: RestorePlan, tell: Tell = untold) -> Restored:
        """Bring it back, apart; it ends with this process unless it is kept.

        Raises:
            Damaged, NoBlob, NotRecovered: what is stored does not become what it was.
            NoPoint, WalGap: it was deleted since it was planned.
            KeyProblem: it is encrypted to another key.
            StoreError, ServerError: this machine does not let it; a full disk, say.
        """
        target = self._targets[plan.id]
        to = Path(plan.to)
        beside = self._tests if plan.test else unfinished.beside(to)
        for left in [beside] if plan.test else to.parent.glob(".*.restoring"):
            isolated.sweep(left)
            work.clear(left)
        with ExitStack() as stack:
            if not plan.test:
                stack.callback(work.clear, beside)
            folder = stack.enter_context(work.folder(beside))
            server = Server(folder / "server", self._programs(target.point))
            cluster.prepare_home(server.home, server.folder)
            stack.callback(embedded.stop, server, clock=self.clock)
            try:
                if target.point.kind is Kind.DUMP:
                    loaded.load(server, self.vault, target.point, self.clock, tell)
                    url, reached = server.url(), None
                else:
                    url = self._recover(server, target, tell)
                    reached = self._check(server, url, target, tell)
            except NoBlob:
                self.vault.catalogue.get(target.point.id)  # raises if it was deleted meanwhile
                raise
            self._live[plan.to] = _Live(server, target, stack.pop_all(), reached)
        return Restored(plan.to, str(server.socket_dir), server.port, url)

    def prove(self, plan: RestorePlan, restored: Restored, tell: Tell = untold) -> Proof:
        """Hold what came back to the newest seal on its way.

        Raises:
            Unverified: nothing was sealed by then, or nothing is in it that was.
            NotRecovered: where there is no event log, a table is not what it was.
            DatabaseError: it cannot be read; ``Kind.DAMAGED`` says that it is broken.
        """
        live = self._live[restored.name]
        seal = self._expected(live)
        if seal is None or restored.url is None:
            raise Unverified(
                f"nothing of {plan.environment} was sealed by then, so there is nothing to hold it to",
                hint=f"gymops backup {plan.environment} seals",
            )
        if tables := live.target.point.tables:
            tell("prove", contents.told(tables))
            contents.hold(restored.url, tables)
        elif not seal.events and not has_events(restored.url) and contents.tables(restored.url):
            raise Unverified(
                "it came back and answers; there is no event log in it, and what its tables held is written"
                " nowhere",
                hint=f'method = "dump" in [environments.{plan.environment}.backup] has that written down',
            )
        tell("prove", f"{seal.events:,} events of seal {seal.number}")
        return hold(restored.url, self.vault.seals.sealed(seal.number))

    def tables(self, restored: Restored) -> str | None:
        """Which tables were held to what they were; None where there is an event log."""
        found = self._live[restored.name].target.point.tables
        return contents.told(found) if found else None

    def keep(self, plan: RestorePlan, restored: Restored) -> Restored:
        """Move it to its name and leave it running, as apart as before.

        Raises:
            GateRefused: somebody made something of that name meanwhile.
        """
        live = self._live[restored.name]
        to = Path(plan.to)
        embedded.stop(live.server, clock=self.clock)
        try:
            live.server.home.rename(to)
        except OSError:
            raise GateRefused(
                f"{to} is there already, and a restore never goes over anything", hint="choose another name"
            ) from None
        moved = Server(to, live.server.binaries)
        live.server, live.kept = moved, True
        live.folder.close()
        isolated.launch(moved, self.clock, tied=False)
        parameters = parse(restored.url or "")
        url = moved.url(parameters["dbname"], parameters["user"])
        return Restored(restored.name, str(moved.socket_dir), moved.port, url)

    def found(self, home: Path) -> Server:
        """What a restore kept, and whoever ran it was killed."""
        version = int((Server(home, Path()).data / "PG_VERSION").read_text())
        fits = [one for one in self.programs if major(one) == version]
        return Server(home, (fits or list(self.programs))[0])

    def address(self, server: Server) -> str:
        """How to connect to a restored server."""
        parameters = parse(self.url)
        user = parameters.get("user", embedded.OWNER)
        return server.url(parameters.get("dbname", user), user)

    def drop(self, restored: Restored) -> None:
        """Delete what a restore of this process made, and did not keep."""
        live = self._live.get(restored.name)
        if live is None or live.kept:
            raise GateRefused(f"{restored.name} was made by no restore that is under way")
        live.folder.close()
        del self._live[restored.name]

    def clear(self, tell: Tell = untold) -> Sequence[str]:
        """Delete what killed tests left."""
        home = self._tests
        left = isolated.sweep(home)
        if left:
            tell("clear", "what tests left that nobody runs any more")
            with work.folder(home):
                pass
        return left

    def server(self, restored: Restored) -> Server:
        """The restored server."""
        return self._live[restored.name].server

    def seal(self, restored: Restored) -> SealedAt | None:
        """The seal it is held to."""
        return self._expected(self._live[restored.name])

    @property
    def own(self) -> Path:
        """Where what is restored under no other name is."""
        return self.home / _HERE

    @property
    def _tests(self) -> Path:
        return self.vault.work.absolute() / "tests"

    def _recover(self, server: Server, target: Target, tell: Tell) -> str:
        folder = server.folder / isolated.WAL
        folder.mkdir(mode=0o700)
        self._fetch(target, folder, tell)
        tell("unpack", f"{target.point.size / 1e6:,.1f} MB, checked as they are read")
        done = 0

        def advance(more: int) -> None:
            nonlocal done
            if (done + more) // _STEP != done // _STEP:
                tell("unpack", f"{(done + more) / 1e6:,.0f} of {target.point.size / 1e6:,.0f} MB")
            done += more

        base.unpack(self.vault.blobs, target.point.files[0], self.vault.keys, server.data, advance)
        tell("recover", f"to {target.at}" if target.at else "as far as it goes")
        isolated.prepare(server, target.recovery, self.clock)
        return self.address(server)

    def _fetch(self, target: Target, folder: Path, tell: Tell) -> None:
        point = target.point
        if not target.wal or point.system is None:
            return
        tell("wal", f"{len(target.wal)} segments, checked as they are read")
        wal = self.vault.wal(point.system, point.segment)
        with ThreadPoolExecutor(_FETCHERS) as fetchers:
            for _ in fetchers.map(lambda one: _fetched(wal, one, folder), target.wal):
                pass

    def _check(self, server: Server, url: str, target: Target, tell: Tell) -> int:
        """Whether it came as far as it should: that it runs says nothing of it."""
        tell("check", "that it is up, out of recovery and came as far as it should")
        found = isolated.reached(server, url)
        if target.point.timeline not in (None, found.timeline):
            raise NotRecovered(f"it recovered on timeline {found.timeline}, not {target.point.timeline}")
        least = target.end or lsn.parse(target.point.end_lsn or "0/0")
        # What another flushed may end within a record, and what is behind the mark then is not asked for.
        marked = target.end and found.last_commit and found.last_commit >= target.lost_since
        if target.at is None and found.lsn < least and not marked:
            raise NotRecovered(
                f"the WAL ends at {spell(found.lsn)}, and {spell(least)} was stored: some of it is damaged"
            )
        return found.lsn

    def _expected(self, live: _Live) -> SealedAt | None:
        """What was sealed on the way it went: a clock that was set back ends a recovery to a time sooner."""
        if live.reached is None or live.target.at is None:
            return live.target.seal
        return targets.passed(live.target.point, self.vault.seals.since, live.reached)

    def _programs(self, point: RecoveryPoint) -> Path:
        wanted = int(point.server.split(".")[0])
        fits = [one for one in self.programs if major(one) == wanted]
        if point.kind is Kind.DUMP:  # newer ones read it too
            fits = fits or [one for one in self.programs if major(one) > wanted]
        if not fits:
            here = ", ".join(sorted({str(major(one)) for one in self.programs}))
            raise Unverified(
                f"{point.id} is of PostgreSQL {wanted}, and the programs here are of {here}",
                hint=f"set postgres_bin in gymops.toml to the programs of PostgreSQL {wanted}",
            )
        return fits[0]


def hold(url: str, sealed: Sealed) -> Proof:
    """Hold a database to what was sealed; one without a table of events holds none."""
    if not sealed.events and not has_events(url):
        return Proof(0, sealed.head, 0, sealed.head, 0, rejected=True)
    with closing(PostgresLog(url)) as log:
        return prove(log, sealed)


def _fetched(wal: Wal, one: Stored, folder: Path) -> None:
    try:
        wal.fetch(one, folder)
    except NoBlob:
        wal.segment(one)  # raises if it was deleted meanwhile
        raise


def has_events(url: str) -> bool:
    """Whether there is a table of events."""
    with translated(), connect_plain(url) as connection:
        row = connection.execute("SELECT to_regclass('events') IS NOT NULL").fetchone()
    return bool(row and row[0])
