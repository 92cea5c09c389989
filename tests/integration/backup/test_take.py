"""Backups of a server as they are taken: recorded once their bytes were read back, or not at all."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from gymops.aws.blobs import S3Blobs
from gymops.aws.s3 import S3Objects
from gymops.backup import base, stream
from gymops.backup.envelope import Forged
from gymops.backup.keys import open_keys
from gymops.backup.listing import listing
from gymops.backup.recovery_point import Kind, RecoveryPoint
from gymops.backup.source import NotHere
from gymops.backup.take import Taken, Taker
from gymops.backup.vault import Vault
from gymops.clock import SystemClock
from gymops.errors import ConfigError, GymopsError
from gymops.pg import embedded
from gymops.pg.binaries import find_system, major
from gymops.pg.programs import ProgramError, run
from gymops.store.below import Below
from gymops.store.objects import StoreError
from tests.integration.backup.conftest import Backed, vault_in
from tests.integration.local.test_full_disk import Disk
from tests.local_aws import Aws, unique, until

CLOCK = SystemClock()


def take(backed: Backed, tier: str | None = None, taker: Taker | None = None) -> Taken:
    taker = taker or backed.taker()
    return taker.take(taker.plan(tier), CLOCK.now())


def nothing_recorded(vault: Vault) -> bool:
    return not vault.catalogue.points() and not vault.blobs.keys(f"{vault.environment}/2")


def test_a_backup_is_sealed_recorded_and_its_bytes_hash(backed: Backed) -> None:
    backed.append("a", 1500)
    told: list[str] = []
    taker = backed.taker()
    taken = taker.take(taker.plan(None), CLOCK.now(), lambda phase, _: told.append(phase))
    assert list(dict.fromkeys(told)) == ["seal", "copy", "verify", "wal", "prune"]
    (point,) = backed.vault.catalogue.points()
    assert taken.point == point
    assert (point.kind, point.tier, point.seal) == (Kind.BASE, "daily", taken.seal)
    assert point.seal
    assert point.seal.events == 1500
    assert point.began < point.ended
    assert point.keep_until == point.ended + timedelta(days=30)
    with backed.vault.blobs.read(point.files[0].key) as stored:
        assert stream.digest(stored) == point.files[0].sha256
    assert taken.until
    assert taken.until > point.ended
    assert taken.notes == ()
    # At once again, of the same second or not: another one, and the seal stays.
    both = take(backed, "weekly"), take(backed, "continuous")
    assert both[0].point
    assert both[0].point.id != point.id
    assert both[0].seal == both[1].seal == taken.seal
    assert both[1].point is None
    found = listing(backed.vault)
    assert [(one.tier, one.ready) for one in found.points] == [("daily", True), ("weekly", True)]
    assert [(one.earliest, one.latest) for one in found.windows] == [(point.ended, both[1].until)]
    folder = backed.folder / "unpacked"
    base.unpack(backed.vault.blobs, point.files[0], backed.vault.keys, folder)
    assert (folder / "PG_VERSION").read_text().strip() == point.server.split(".")[0]
    assert (folder / "backup_manifest").is_file()


@pytest.mark.long
def test_two_at_once_are_both_there(backed: Backed) -> None:
    backed.append("a", 10)
    taken: list[Taken] = []
    threads = [threading.Thread(target=lambda: taken.append(take(backed))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.point and one.point.id for one in taken} == {
        point.id for point in backed.vault.catalogue.points()
    }
    assert len(taken) == 2
    assert len(backed.vault.seals.read()) == 1
    (window,) = listing(backed.vault).windows
    assert window.latest in {one.until for one in taken}


def test_an_idle_server_can_be_restored_to_now_all_the_same(backed: Backed) -> None:
    first = take(backed)
    second, third = take(backed, "continuous"), take(backed, "continuous")
    assert first.until
    assert second.until
    assert third.until
    assert first.until < second.until < third.until
    assert listing(backed.vault).windows[0].latest == third.until


def test_the_first_continuous_backup_is_a_whole_one(backed: Backed) -> None:
    plan = backed.taker().plan("continuous")
    assert plan.kind is Kind.BASE
    taken = backed.taker().take(plan, CLOCK.now())
    assert taken.point
    assert taken.point.tier == "continuous"
    assert backed.taker().plan("continuous").kind is None


def test_records_of_another_key_are_not_overlooked(backed: Backed) -> None:
    take(backed)
    other = Vault(**{**vars(backed.vault), "keys": open_keys(backed.folder / "others", {})})
    with pytest.raises(Forged, match="signed by another key"):
        take(backed, None, _with(backed, other))
    assert len(backed.vault.catalogue.points()) == 1


def _with(backed: Backed, vault: Vault) -> Taker:
    return Backed(backed.url, backed.binaries, vault, backed.folder).taker()


@pytest.mark.long
@pytest.mark.parametrize("broken", ["truncated", "flipped", "gone"])
def test_bytes_that_are_not_what_was_written_are_not_recorded(
    backed: Backed, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = base.take

    def spoiled(*given: object, **named: object) -> base.Base:
        done = real(*given, **named)  # type: ignore[arg-type]
        (file,) = Path(backed.vault.where, "data", backed.vault.environment).glob("2*/*")
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.unlink()
        if broken != "gone":
            file.write_bytes(data[: len(data) // 2] if broken == "truncated" else data)
        return done

    monkeypatch.setattr(base, "take", spoiled)
    with pytest.raises(GymopsError, match=r"is not what was stored|is not there"):
        take(backed)
    assert list(backed.vault.catalogue.points()) == []


def test_a_full_disk_is_told_and_nothing_is_recorded(backed: Backed) -> None:
    folder = backed.folder / "small"
    folder.mkdir()
    disk = Disk(folder)
    if not disk.is_there:
        pytest.skip("no rights to mount")
    try:
        subprocess.run(["mount", "-o", "remount,size=1m", folder], check=True)
        small = vault_in(folder, backed.vault.environment)
        with pytest.raises(StoreError, match="No space left") as told:
            take(backed, None, _with(backed, small))
        assert told.value.hint == "make room on the disk"
        assert nothing_recorded(small)
        assert not list(folder.rglob(".new-*"))
        subprocess.run(["mount", "-o", "remount,size=200m", folder], check=True)
        assert take(backed, None, _with(backed, small)).point
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


@pytest.mark.long
def test_a_server_that_goes_away_in_the_middle_is_told(backed: Backed) -> None:
    with embedded.temporary(clock=CLOCK, settings={"fsync": "off"}) as server:
        alone = Backed(server.url(), server.binaries, backed.vault, backed.folder)
        taker = alone.taker()
        left: list[int] = []

        def tell(phase: str, _: str) -> None:
            if phase == "copy" and not left:
                left.extend(_processes(server))
                for one in left:  # a sender that is left would send the rest of so small a server
                    with suppress(ProcessLookupError):
                        os.kill(one, signal.SIGKILL)
                until(lambda: not any(_runs(one) for one in left))

        with pytest.raises(GymopsError) as told:
            taker.take(taker.plan(None), CLOCK.now(), tell)
        assert told.value.hint
        assert nothing_recorded(backed.vault)
        embedded.start(server, clock=CLOCK, settings={"fsync": "off"}, tied_to_parent=True)
        assert take(alone).point


def _runs(process: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _processes(server: embedded.Server) -> list[int]:
    first = (server.data / "postmaster.pid").read_text().split()[0]
    others = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [int(one) for one in (first, *others)]


def test_programs_older_than_the_server_are_refused_before_anything_is_done(backed: Backed) -> None:
    older = find_system()
    if older is None or major(older) >= major(backed.binaries):
        pytest.skip("no older PostgreSQL is installed")
    old = Backed(backed.url, older, backed.vault, backed.folder)
    with pytest.raises(ConfigError, match=r"the server is PostgreSQL \d+, and the programs .* refuse"):
        take(old)
    assert list(backed.vault.objects.keys("")) == []


def test_tablespaces_are_told_and_dumped_instead(backed: Backed, tmp_path: Path) -> None:
    with _tablespace(backed):
        plan = backed.taker().plan(None)
        assert plan.kind is Kind.DUMP
        assert "tablespaces (elsewhere)" in plan.why
        with pytest.raises(NotHere, match="no base backup can be taken: it has tablespaces"):
            backed.taker(method="base").plan(None)
        with pytest.raises(NotHere, match="no WAL can be received"):
            backed.taker().plan("continuous")


@contextmanager
def _tablespace(backed: Backed) -> Iterator[None]:
    with psycopg.connect(backed.url, autocommit=True) as connection:
        connection.execute("SET allow_in_place_tablespaces = on")
        connection.execute("CREATE TABLESPACE elsewhere LOCATION ''")
    try:
        yield
    finally:
        backed.sql("DROP TABLESPACE elsewhere")


_KILLED = """
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from gymops.backup import base, prune, take, wal
from gymops.backup.catalogue import Catalogue, Seals
from gymops.clock import SystemClock
from gymops.store.folder import FolderBlobs
from tests.integration.backup.conftest import Backed, vault_in

url, binaries, folder, environment, place, when = sys.argv[1:]
owner, name = place.split(".")
owner = {"base": base, "Catalogue": Catalogue, "Seals": Seals, "wal": wal, "Wal": wal.Wal,
         "FolderBlobs": FolderBlobs, "prune": prune}[owner]
real = getattr(owner, name)

def killed(*given, **named):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, killed)
backed = Backed(url, Path(binaries), vault_in(Path(folder), environment), Path(folder))
taker = backed.taker()
taker.take(taker.plan(None), SystemClock().now())
print("never killed")
"""

STEPS = [
    ("Seals.add", "before"), ("Seals.add", "after"), ("wal.keep", "after"), ("base.take", "after"),
    ("Catalogue.add", "before"), ("Catalogue.add", "after"), ("wal._fetch", "after"), ("Wal.add", "after"),
    ("wal.superseded", "before"), ("prune.retention", "after"), ("FolderBlobs.sweep", "before"),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(("step", "when"), STEPS)
def test_killed_at_any_step_the_next_run_goes_on_and_nothing_is_left(
    backed: Backed, step: str, when: str
) -> None:
    backed.append("a", 10)
    vault = backed.vault
    died = subprocess.run(
        [sys.executable, "-c", _KILLED, backed.url, backed.binaries, backed.folder, vault.environment,
         step, when],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr
    for point in vault.catalogue.points():  # what is in the catalogue is whole
        assert _hashes(vault, point)
    backed.append("a", 5)
    taken = take(backed)
    assert taken.seal
    assert taken.seal.events == 15
    later = Vault(**{**vars(vault), "blobs": vault_in(backed.folder, vault.environment, _Later()).blobs})
    assert _with(backed, later).take(_with(backed, later).plan("continuous"), CLOCK.now()).notes == ()
    assert not list((backed.folder / "work").glob("work-*"))
    named = {file.key for point in vault.catalogue.points() for file in point.files}
    named |= {
        one.file(stored.stem) for one in vault.wals(list(vault.catalogue.points())) for stored in one.stored()
    }
    assert set(vault.blobs.keys("")) == named
    assert not list(Path(vault.where).rglob(".new-*"))
    assert len(listing(vault).windows) == 1


def _hashes(vault: Vault, point: RecoveryPoint) -> bool:
    with vault.blobs.read(point.files[0].key) as stored:
        return stream.digest(stored) == point.files[0].sha256


class _Later(SystemClock):
    """A day later: what nobody claimed by now is nobody's."""

    def now(self) -> datetime:
        return super().now() + timedelta(days=1)


def test_a_password_is_on_no_command_line_and_in_no_message(backed: Backed) -> None:
    secret = "s3cr3t-4711"
    url = re.sub(r"//gymops@", f"//gymops:{secret}@", backed.url)
    seen: list[str] = []

    def tell(phase: str, _: str) -> None:
        for one in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                seen.append(one.read_text(errors="replace"))

    taker = Taker(url, backed.binaries, backed.vault, backed.taker()._tiers)
    taker.take(taker.plan(None), CLOCK.now(), tell)
    assert any("pg_basebackup" in line for line in seen)
    assert not [line for line in seen if secret in line]
    broken = url.replace("/gymops?", "/nowhere?")
    with pytest.raises(GymopsError) as told:
        Taker(broken, backed.binaries, backed.vault, ()).plan(None)
    assert secret not in told.value.message


def test_a_failed_program_says_why_and_what_to_do(backed: Backed) -> None:
    backed.sql("CREATE ROLE reader LOGIN")
    try:
        url = backed.url.replace("//gymops@/gymops", "//reader@/postgres")
        plan = Taker(url, backed.binaries, backed.vault, backed.taker()._tiers).plan(None)
        assert plan.kind is Kind.DUMP
        assert "its user may not replicate" in plan.why
        with pytest.raises(ProgramError, match=r"permission denied|must be superuser") as told:
            run(backed.binaries, "pg_receivewal", url, "-D", str(backed.folder), "--no-loop", timeout=60)
        assert told.value.hint
    finally:
        backed.sql("DROP ROLE reader")


@pytest.mark.long
def test_to_s3_it_is_the_same(backed: Backed, aws: Aws) -> None:
    client, bucket = aws.client("s3"), unique("backups")
    client.create_bucket(Bucket=bucket)
    objects = Below(S3Objects(client, bucket, CLOCK), "app/records/")
    blobs = S3Blobs(client, bucket, "app/data/", CLOCK)
    there = Vault(**{**vars(backed.vault), "objects": objects, "blobs": blobs})
    backed.append("a", 1500)
    taker = _with(backed, there)
    taken = taker.take(taker.plan(None), CLOCK.now())
    until = taker.take(taker.plan("continuous"), CLOCK.now()).until
    assert taken.point
    assert _hashes(there, taken.point)
    assert [one.latest for one in listing(there).windows] == [until]
    base.unpack(blobs, taken.point.files[0], there.keys, backed.folder / "unpacked")
    assert (backed.folder / "unpacked" / "PG_VERSION").is_file()
    keys = [one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert {key.split("/")[1] for key in keys} == {"records", "data"}
