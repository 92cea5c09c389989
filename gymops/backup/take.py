"""Taking a backup of a server: plan, seal, copy, read back, record, receive the WAL, prune."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gymops import __version__
from gymops.backup import base, contents, damage, dump, prune, runs, sealing, source, stream, tiers, wal
from gymops.backup.evidence import Job, State
from gymops.backup.port import Tell, untold
from gymops.backup.prune import Pruned
from gymops.backup.recovery_point import Kind, RecoveryPoint, SealedAt, StoredFile, new_id, sealed_at
from gymops.backup.source import Facts, NotHere, Place
from gymops.backup.stream import Written
from gymops.backup.tiers import Tier
from gymops.backup.vault import Vault
from gymops.backup.wal import WalGap
from gymops.errors import GymopsError
from gymops.eventlog.log import Progress
from gymops.eventlog.postgres import PostgresLog
from gymops.eventlog.seal import LogDamaged
from gymops.pg.connection import Connection, connect
from gymops.pg.programs import fits

_STEP = 64_000_000
"""Bytes between two words of progress."""


@dataclass(frozen=True)
class TakePlan:
    """What would be taken."""

    tier: Tier
    facts: Facts
    kind: Kind | None
    """None: only the WAL since the base that is there."""
    why: str
    """Of the kind."""


@dataclass(frozen=True)
class Taken:
    """What was taken."""

    point: RecoveryPoint | None
    """None: only WAL was received."""
    seal: SealedAt | None
    """The newest; None: there is no event log of ours."""
    until: datetime | None
    """Every time up to this one can be restored; None: only what is in the point."""
    pruned: Pruned | None
    notes: tuple[str, ...]
    damaged: LogDamaged | None = None
    """How the log is damaged: nothing was sealed, and this is no good backup. Its hint brings back the last
    moment in which all was well.
    """


class Taker:
    """Takes the backups of one environment's server.

    ``method``: ``base`` or ``dump``; None: whichever the server allows.
    """

    def __init__(
        self, url: str, binaries: Path, vault: Vault, given: Sequence[Tier], method: str | None = None
    ) -> None:
        self._url, self._binaries, self._vault = url, binaries, vault
        self._tiers, self._method = given, method

    def plan(self, tier: str | None) -> TakePlan:
        """What would be taken for a tier; nothing is written.

        Raises:
            ConfigError: there is no such tier; the programs at hand are older than the server.
            NotHere: the server cannot be backed up in this way.
        """
        chosen = tiers.named(self._tiers, tier)
        with closing(connect(self._url, autocommit=True)) as connection:
            facts = source.facts(connection)
        fits(self._binaries, facts.major)
        closed = None if self._method == "dump" else facts.only_sql or source.closed(self._url)
        if closed and self._method == "base":
            raise NotHere(f"no base backup can be taken: {closed}", hint='mend that, or set method = "dump"')
        if self._method == "dump" or closed:
            why = closed or "gymops.toml says so"
            if chosen.schedule is None:
                raise NotHere(
                    f"no WAL can be received: {why}", hint="a dump has one time only: --tier daily takes one"
                )
            return TakePlan(chosen, facts, Kind.DUMP, f"only SQL reaches it: {why}")
        if chosen.schedule is None and self._base(facts.system, None):
            return TakePlan(chosen, facts, None, "the WAL since the newest base backup")
        first = " (there is none yet that WAL could follow on)" if chosen.schedule is None else ""
        return TakePlan(chosen, facts, Kind.BASE, f"the whole server{first}")

    def take(self, plan: TakePlan, now: datetime, tell: Tell = untold) -> Taken:
        """Take it; when this returns, it is in the catalogue and its bytes were read back.

        Of a log that is damaged the bytes are taken, and nothing is sealed: see ``damage``.

        Raises:
            WalGap: what comes next in the WAL is gone; a new base backup is needed.
            ProgramError, DatabaseError, StoreError, AwsError: nothing is recorded, what was begun is swept
                later.
        """
        notes: list[str] = []
        point: RecoveryPoint | None
        if plan.kind is Kind.DUMP:
            point, damaged = self._dump(plan, tell)
            seal, until = point.seal, None
        else:
            point, seal, damaged, until = self._with_wal(plan, notes, tell)
        if damaged is not None:
            damaged = self._written_down(plan, point, damaged, now)
            notes.append("nothing old is deleted while the log is damaged")
            return Taken(point, seal, until, None, tuple(notes), damaged)
        if not plan.facts.ours:
            notes.insert(0, _no_log(plan.facts))
        pruned = None
        tell("prune", "what tiers let go of")
        try:
            pruned = prune.prune(self._vault, self._tiers, now)
        except GymopsError as error:
            notes.append(f"nothing old was deleted: {error.message}")
        for lost in pruned.without_bytes if pruned else ():
            notes.append(f"the files of {lost.id} are gone: gymops audit {self._vault.environment}")
        return Taken(point, seal, until, pruned, tuple(notes))

    def _with_wal(
        self, plan: TakePlan, notes: list[str], tell: Tell
    ) -> tuple[RecoveryPoint | None, SealedAt | None, LogDamaged | None, datetime]:
        vault, facts, point, damaged = self._vault, plan.facts, None, None
        with closing(connect(self._url, autocommit=True)) as connection:
            tell("seal", "the events that came since the last one")
            try:
                seal = sealing.record(connection, self._url, facts, vault.seals, vault.environment)
            except LogDamaged as error:
                damaged, last = error, vault.seals.sealed().last
                seal = sealed_at(last) if last else None
            began = source.mark(connection)
            before = self._base(began.system, began.timeline)
            wal.keep(connection, vault.environment)
            copied = self._damaged(began, seal) if damaged else None
            if copied:
                notes.append(f"{copied.id} is a copy of it already, and the WAL since goes on from there")
            elif plan.kind is Kind.BASE:
                point = self._take_base(connection, plan, began, seal, damaged, tell)
            first = before or point
            if first is None:
                raise WalGap(
                    "the server has gone on with another timeline since the newest base backup",
                    hint=f"gymops backup {vault.environment} takes a new one",
                )
            tell("wal", "up to now")
            mark = source.mark(connection)
            try:
                self._receive(connection, facts, mark, first)
            except WalGap as gap:
                if point is None or point is first:
                    raise
                notes.append(f"no time between {first.id} and {point.id} can be restored: {gap.message}")
                self._receive(connection, facts, mark, point)
        return point, seal, damaged, mark.at

    def _written_down(
        self, plan: TakePlan, point: RecoveryPoint | None, damaged: LogDamaged, now: datetime
    ) -> LogDamaged:
        """Leave word of it for the audit, of what is received all the time once; with the way back."""
        job = Job(
            plan.tier.name, now, State.UNSEALED, now, point.id if point else None, message=damaged.message
        )
        runs.leave_word(self._vault, job, once=plan.tier.schedule is None)
        return LogDamaged(damaged.message, hint=damage.way_back(self._vault))

    def _receive(self, connection: Connection, facts: Facts, mark: Place, base: RecoveryPoint) -> None:
        kept = self._vault.wal(facts.system, facts.segment)
        start = base.start_lsn or ""
        wal.receive(connection, self._url, self._binaries, kept, mark, start, self._vault.work)

    def _take_base(
        self, connection: Connection, plan: TakePlan, began: Place, seal: SealedAt | None,
        damaged: LogDamaged | None, tell: Tell,
    ) -> RecoveryPoint:  # fmt: skip
        name = new_id(began.at)
        key = self._vault.key(name, base.NAME)
        taken = base.take(
            connection,
            self._url,
            self._binaries,
            self._vault.blobs,
            key,
            self._vault.keys,
            _told("copy", tell),
        )
        file = self._read_back(key, taken.written, tell)
        return self._record(
            plan, name, began, source.mark(connection).at, file, seal, damaged,
            timeline=taken.timeline, start_lsn=taken.start_lsn, end_lsn=taken.end_lsn,
        )  # fmt: skip

    def _dump(self, plan: TakePlan, tell: Tell) -> tuple[RecoveryPoint, LogDamaged | None]:
        vault = self._vault
        with (
            closing(connect(self._url, autocommit=True)) as connection,
            closing(PostgresLog(self._url)) as log,
        ):
            began = source.mark(connection)
            name = new_id(began.at)
            key = vault.key(name, dump.NAME)
            tell("seal", "the view of the database that is dumped")
            view = sealing.recorded_view(connection, log, plan.facts, vault.seals, vault.environment)
            with view as (snapshot, seal, damaged):
                tables = None if plan.facts.ours else contents.read(connection)
                written = dump.take(
                    self._url, self._binaries, snapshot, vault.blobs, key, vault.keys, _told("copy", tell)
                )
            file = self._read_back(key, written, tell)
            ended = source.mark(connection).at
            return self._record(plan, name, began, ended, file, seal, damaged, tables=tables), damaged

    def _read_back(self, key: str, written: Written, tell: Tell) -> StoredFile:
        """Exit 0 says that the bytes are there and are those that were written."""
        told = _told("verify", tell)
        with self._vault.blobs.read(key) as stored:
            stream.Checked(stream.Told(stored, told), key, written.bytes, written.sha256).finish()
        return StoredFile(key, written.bytes, written.sha256, written.plain)

    def _record(
        self, plan: TakePlan, name: str, began: Place, ended: datetime, file: StoredFile,
        seal: SealedAt | None, damaged: LogDamaged | None, **given: Any,
    ) -> RecoveryPoint:  # fmt: skip
        point = RecoveryPoint(
            id=name, environment=self._vault.environment, kind=plan.kind or Kind.BASE, tier=plan.tier.name,
            began=began.at, ended=ended, server=plan.facts.version, files=(file,),
            recipient=self._vault.keys.recipient, gymops=__version__, seal=seal, system=began.system,
            segment=plan.facts.segment, keep_until=ended + plan.tier.keep,
            damaged=damaged.message if damaged else None, **given,
        )  # fmt: skip
        self._vault.catalogue.add(point)
        return point

    def _damaged(self, at: Place, seal: SealedAt | None) -> RecoveryPoint | None:
        """The copy of the server since its log is damaged: one is enough, nothing is let go of meanwhile."""
        newest = self._base(at.system, at.timeline)
        return newest if newest and newest.damaged and newest.seal == seal else None

    def _base(self, system: str, timeline: int | None) -> RecoveryPoint | None:
        """The newest base backup of a server."""
        found = [
            point
            for point in self._vault.catalogue.points()
            if point.kind is Kind.BASE and point.system == system and timeline in (None, point.timeline)
        ]
        return max(found, key=lambda point: point.ended, default=None)


def _no_log(facts: Facts) -> str:
    if facts.events:
        return "its events are of another schema: nothing is sealed, and a restore can prove nothing"
    return "there is no event log in it; that is sealed as it is"


def _told(phase: str, tell: Tell) -> Progress:
    """Bytes, in words."""
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        if done // _STEP != (done + more) // _STEP or not done:
            tell(phase, f"{(done + more) / 1e6:,.0f} MB")
        done += more

    return advance
