"""The life of an RDS instance: create, modify, stop, start, reboot, delete, each on a real server."""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg

from gymops.errors import GymopsError
from gymops.local import ports
from gymops.local.plane import ministack, postgres
from gymops.local.plane.context import Context
from gymops.local.plane.faults import Fault, not_found, wrong_state
from gymops.local.plane.rds import names, records
from gymops.local.plane.rds.passwords import Passwords
from gymops.local.plane.rds.records import OURS, Record, instances

Request = dict[str, Any]
"""What was asked, under the API's own names, as text, numbers, booleans and lists."""

_USER = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,62}")
_RESERVED = frozenset({"admin", "gymops", "postgres", "rdsadmin", "rds_superuser", "rds_iam", "public"})
_IMMEDIATE = frozenset({
    "BackupRetentionPeriod", "DeletionProtection", "PreferredBackupWindow", "PreferredMaintenanceWindow",
    "CopyTagsToSnapshot", "PubliclyAccessible", "MaxAllocatedStorage", "MonitoringInterval",
    "MonitoringRoleArn", "AutoMinorVersionUpgrade",
})  # fmt: skip
_DEFERRED = frozenset({
    "DBInstanceClass", "AllocatedStorage", "MultiAZ", "EngineVersion", "StorageType", "Iops",
    "StorageThroughput", "CACertificateIdentifier",
})  # fmt: skip


class Instances:
    """The instances of every account; each call works in the scope of the request being served."""

    def __init__(self, context: Context, keep: Callable[[], None]) -> None:
        self._context = context
        self._keep = keep
        self._making = threading.Lock()
        self.passwords = Passwords(context)

    def create(self, request: Request) -> Record:
        """A new instance with a server of its own.

        Raises:
            Fault: the request is not one RDS would take.
        """
        _check_engine(request)
        user, password = request.get("MasterUsername", ""), request.get("MasterUserPassword")
        if not user:
            raise Fault("InvalidParameterValue", "The parameter MasterUsername must be provided.")
        if not _USER.fullmatch(user) or user.lower() in _RESERVED:
            raise Fault("InvalidParameterValue", f"MasterUsername {user} cannot be used")
        managed = bool(request.get("ManageMasterUserPassword"))
        if managed and password:
            raise Fault(
                "InvalidParameterCombination",
                "You can't specify MasterUserPassword when ManageMasterUserPassword is enabled.",
            )
        if not managed:
            self.passwords.check(password)
        record = self.register(request)
        secret = password or records.new_password()

        def make() -> None:
            postgres.start(self._database(record), records.run(self._context, record), clock=self._clock)
            postgres.make_master(self._database(record), user, secret, request.get("DBName"))
            self.apply_parameters(record, restart=True)
            if record["BackupRetentionPeriod"]:
                self.begin_backups(record)

        if managed:
            self.passwords.keep(record, secret, request.get("MasterUserSecretKmsKeyId"))
        return self.through(record, "creating", make, "available")

    def register(self, request: Request) -> Record:
        """The record of a new instance, in state ``creating``, with an address and folders.

        Raises:
            Fault: the name is taken or no name, or a group it needs does not exist.
        """
        name = names.check(str(request.get("DBInstanceIdentifier", "")).lower())
        _check_groups(request)
        with self._making:
            if name in instances():
                raise Fault("DBInstanceAlreadyExists", f"DB instance {name} already exists")
            build = ministack.module("ministack.services.cloudformation.provisioners")._rds_db_instance_create
            build(name, {**request, "DBInstanceIdentifier": name}, "")
            record = instances()[name]
            record["DBInstanceStatus"] = "creating"
        records.adopt(record)
        record["DBName"] = request.get("DBName", "")
        record.pop("_MasterUserPassword", None)
        for key in ("Iops", "StorageThroughput"):
            if request.get(key):
                record[key] = int(request[key])
        record["EnabledCloudwatchLogsExports"] = sorted(request.get("EnableCloudwatchLogsExports") or ())
        _set_named(record, request)
        if record.get("TagList"):
            records.rds()._tags[record["DBInstanceArn"]] = record["TagList"]
        records.backups(self._context, record["DbiResourceId"]).prepare(self._database(record))
        return record

    def modify(self, identifier: str, request: Request) -> Record:
        """Change what can be changed; the rest of it at once, at the next reboot or in the window.

        Raises:
            Fault: there is no such instance, or it cannot be changed so.
        """
        record = records.instance(identifier)
        self._expect(record, "available", "stopped")
        _check_groups(request)
        self.passwords.modify(record, request)
        now = bool(request.get("ApplyImmediately"))
        pending = dict(record.get("PendingModifiedValues") or {})
        archived = bool(record["BackupRetentionPeriod"])
        for key, value in request.items():
            if key in _IMMEDIATE or (now and key in _DEFERRED):
                record[key] = _typed(record.get(key), value)
                pending.pop(key, None)
            elif key in _DEFERRED and _typed(record.get(key), value) != record.get(key):
                pending[key] = value
        record["PendingModifiedValues"] = pending
        _set_named(record, request)
        logs = request.get("CloudwatchLogsExportConfiguration") or {}
        on = {*record.get("EnabledCloudwatchLogsExports", ()), *logs.get("EnableLogTypes", ())}
        if "EnableCloudwatchLogsExports" in request:  # as a stack asks for them: all there are to be
            on = set(request["EnableCloudwatchLogsExports"] or ())
        record["EnabledCloudwatchLogsExports"] = sorted(on - set(logs.get("DisableLogTypes", ())))
        if "EnableIAMDatabaseAuthentication" in request:
            record["IAMDatabaseAuthenticationEnabled"] = bool(request["EnableIAMDatabaseAuthentication"])
        if request.get("VpcSecurityGroupIds"):
            record["VpcSecurityGroups"] = [
                {"VpcSecurityGroupId": group, "Status": "active"} for group in request["VpcSecurityGroupIds"]
            ]
        if request.get("DBParameterGroupName"):
            record["DBParameterGroups"] = [
                {"DBParameterGroupName": request["DBParameterGroupName"], "ParameterApplyStatus": "applying"}
            ]
        port = record["Endpoint"]["Port"]
        if request.get("NewDBInstanceIdentifier"):
            port = names.rename(record, str(request["NewDBInstanceIdentifier"]).lower())

        def change() -> None:
            self._move(record, port)
            self._apply(record, archived)

        return self.through(record, "modifying", change, record["DBInstanceStatus"])

    def stop(self, identifier: str) -> Record:
        """Stop the server; its data stays."""
        record = records.instance(identifier)
        self._expect(record, "available")
        database = self._database(record)
        return self.through(
            record, "stopping", lambda: _drop(postgres.stop(database, clock=self._clock)), "stopped"
        )

    def start(self, identifier: str) -> Record:
        """Start a stopped server."""
        record = records.instance(identifier)
        self._expect(record, "stopped")
        return self.through(record, "starting", lambda: self.bring_up(record), "available")

    def reboot(self, identifier: str) -> Record:
        """Restart the server; static parameters take effect."""
        record = records.instance(identifier)
        self._expect(record, "available", "incompatible-parameters")

        def again() -> None:
            postgres.stop(self._database(record), clock=self._clock)
            self.apply_parameters(record, restart=True)
            self.bring_up(record)

        return self.through(record, "rebooting", again, "available")

    def check_deletable(self, identifier: str) -> Record:
        """The instance, if it may be deleted.

        Raises:
            Fault: it is protected, or busy.
        """
        record = records.instance(identifier)
        if record.get("DeletionProtection"):
            raise Fault(
                "InvalidParameterCombination",
                "Cannot delete protected DB Instance, please disable deletion protection and try again.",
            )
        self._expect(record, "available", "stopped", "failed", "incompatible-parameters")
        return record

    def delete(self, identifier: str, *, keep_backups: bool = False) -> Record:
        """Delete the instance, its server and its data; its snapshots stay."""
        record = self.check_deletable(identifier)

        def remove() -> None:
            database = self._database(record)
            if keep_backups and record["DBInstanceStatus"] == "deleting":
                with contextlib.suppress(GymopsError, psycopg.Error):
                    self._backups(record).mark(database, self._clock)
            postgres.stop(database, clock=self._clock)
            shutil.rmtree(database.home, ignore_errors=True)
            if not keep_backups:
                self._backups(record).drop()
            self.passwords.drop_secret(record)
            records.rds()._tags.pop(record["DBInstanceArn"], None)
            instances().pop(record["DBInstanceIdentifier"], None)

        return self.through(record, "deleting", remove, "deleted")

    def begin_backups(self, record: Record) -> None:
        """Take the base backup from which on the instance can be restored to any time."""
        backups = self._backups(record)
        backups.take_base(self._database(record), self._clock.now(), durable=self._context.settings.durable)
        backups.mark(self._database(record), self._clock)

    def latest_restorable(self, record: Record) -> str | None:
        """The latest restorable time, brought up to date where that is due; None without backups."""
        backups = self._backups(record)
        if not record["BackupRetentionPeriod"]:
            return None
        if self._context.settings.archive_seconds == 0 and record["DBInstanceStatus"] == "available":
            with contextlib.suppress(GymopsError, psycopg.Error):
                backups.mark(self._database(record), self._clock)
        window = backups.window()
        return window[1].isoformat() if window else None

    def bring_up(self, record: Record) -> None:
        """Start the server as the record wants it; on another port if its own was taken meanwhile."""
        database = self._database(record)
        if not postgres.runs(database) and not ports.is_free(database.port):
            record["Endpoint"]["Port"] = ports.free_port()
            database = self._database(record)
        postgres.start(database, records.run(self._context, record), clock=self._clock)

    def apply_parameters(self, record: Record, *, restart: bool = False) -> None:
        """Give the server its parameter group; what needs a restart waits for one."""
        groups = record.get("DBParameterGroups") or []
        wanted = records.group_parameters(groups[0]["DBParameterGroupName"]) if groups else {}
        waits = False
        if wanted != record[OURS].get("parameters", {}):
            record[OURS]["parameters"] = wanted
            if postgres.runs(self._database(record)):
                postgres.reload(self._database(record), records.run(self._context, record))
                with postgres.connect(self._database(record)) as connection:
                    found = connection.execute(
                        "select exists(select from pg_settings where pending_restart)"
                    ).fetchone()
                waits = bool(found and found[0])
                if waits and restart:
                    postgres.stop(self._database(record), clock=self._clock)
                    self.bring_up(record)
                    waits = False
        for group in groups:
            group["ParameterApplyStatus"] = "pending-reboot" if waits else "in-sync"

    def resume(self, record: Record, status: str) -> None:
        """After a restart of the emulator: bring back what ran, finish what was under way."""
        record["DBInstanceStatus"] = status
        if status in {"stopped", "stopping"}:
            postgres.stop(self._database(record), clock=self._clock)
            record["DBInstanceStatus"] = "stopped"
            return
        if status == "deleting":
            record["DBInstanceStatus"] = "available"
            return
        try:
            if not (self._database(record).data / "PG_VERSION").exists():
                raise GymopsError("its data directory is gone")
            self.bring_up(record)
            record["DBInstanceStatus"] = "available"
        except GymopsError as error:
            record[OURS]["reason"] = str(error)
            record["DBInstanceStatus"] = "failed"

    def _apply(self, record: Record, archived: bool) -> None:
        self.apply_parameters(record)
        if record["DBInstanceStatus"] == "stopped" or not postgres.runs(self._database(record)):
            return
        postgres.reload(self._database(record), records.run(self._context, record))
        if record["BackupRetentionPeriod"] and not archived:
            self.begin_backups(record)
        if archived and not record["BackupRetentionPeriod"]:
            self._backups(record).drop()
            self._backups(record).prepare(self._database(record))

    def _move(self, record: Record, port: int) -> None:
        """Let its server answer there from now on."""
        if port == record["Endpoint"]["Port"]:
            return
        runs = postgres.runs(self._database(record))
        postgres.stop(self._database(record), clock=self._clock)
        record["Endpoint"]["Port"] = port
        if runs:
            self.bring_up(record)

    def through(self, record: Record, through: str, work: Callable[[], None], then: str) -> Record:
        """Do the work, and let the instance pass through its states; returns it as it is on the way."""
        record["DBInstanceStatus"] = through
        self._keep()
        shown = dict(record)

        def finish() -> None:
            try:
                work()
                record["DBInstanceStatus"] = then
            except (GymopsError, psycopg.Error, OSError) as error:
                record["DBInstanceStatus"] = "failed"
                record[OURS]["reason"] = str(error)
                raise Fault("InternalFailure", f"{record['DBInstanceIdentifier']}: {error}", 500) from error
            finally:
                self._keep()

        if self._context.settings.delay == 0:
            finish()
        else:
            ministack.background(lambda: self.later(finish), f"rds-{through}")
        return shown

    def settle(self, record: Record) -> None:
        """Wait until what is under way with an instance is done; a stack does.

        Raises:
            Fault: it failed.
        """
        while str(record["DBInstanceStatus"]).endswith("ing"):
            self._clock.sleep(0.02)
        if record["DBInstanceStatus"] == "failed":
            reason = record[OURS].get("reason", "")
            raise Fault("InternalFailure", f"{record['DBInstanceIdentifier']} failed: {reason}", 500)

    def later(self, work: Callable[[], None]) -> None:
        """Do it after the set delay."""
        self._clock.sleep(self._context.settings.delay)
        work()

    def _expect(self, record: Record, *states: str) -> None:
        if record["DBInstanceStatus"] not in states:
            raise wrong_state(record["DBInstanceIdentifier"], record["DBInstanceStatus"], *states)

    def _database(self, record: Record) -> postgres.Database:
        return records.database(self._context, record)

    def _backups(self, record: Record) -> Any:
        return records.backups(self._context, record["DbiResourceId"])

    @property
    def _clock(self) -> Any:
        return self._context.clock


def retention_start(context: Context, record: Record) -> Any:
    """The moment before which automated backups may go."""
    return context.clock.now() - timedelta(days=int(record["BackupRetentionPeriod"]))


def _check_engine(request: Request) -> None:
    engine = request.get("Engine", "postgres")
    if engine != "postgres":
        raise Fault("InvalidParameterValue", f"The local AWS offers the engine postgres only, not {engine}")


def _check_groups(request: Request) -> None:
    group = request.get("DBParameterGroupName")
    if group and not group.startswith("default.") and group not in records.rds()._param_groups:
        raise not_found("DBParameterGroupNotFound", "DBParameterGroup", group)
    subnets = request.get("DBSubnetGroupName")
    if subnets and subnets != "default" and subnets not in records.rds()._subnet_groups:
        raise not_found("DBSubnetGroupNotFoundFault", "DBSubnetGroup", subnets)


def _set_named(record: Record, request: Request) -> None:
    """What the emulator does not record, or under another name than it is asked for."""
    if request.get("OptionGroupName"):
        name = request["OptionGroupName"]
        record["OptionGroupMemberships"] = [{"OptionGroupName": name, "Status": "in-sync"}]
    for key in ("CACertificateIdentifier", "NetworkType", "PerformanceInsightsKMSKeyId"):
        if request.get(key):
            record[key] = request[key]
    if "EnablePerformanceInsights" in request:
        record["PerformanceInsightsEnabled"] = bool(request["EnablePerformanceInsights"])
    if request.get("PerformanceInsightsRetentionPeriod"):
        record["PerformanceInsightsRetentionPeriod"] = int(request["PerformanceInsightsRetentionPeriod"])


def _typed(old: Any, new: Any) -> Any:
    if isinstance(old, bool) or str(new).lower() in {"true", "false"}:
        return str(new).lower() == "true"
    return int(new) if isinstance(old, int) or str(new).isdecimal() else new


def _drop(_: object) -> None:
    """For work whose result nobody wants."""
