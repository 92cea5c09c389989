"""RDS's query protocol: requests to method calls, records to XML."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from gymops.local.plane import ministack
from gymops.local.plane.context import Context, iso, parse
from gymops.local.plane.faults import Fault, not_found
from gymops.local.plane.rds import records
from gymops.local.plane.rds.instances import Instances, Request
from gymops.local.plane.rds.records import OURS, Record
from gymops.local.plane.rds.snapshots import Snapshots, find_source
from gymops.local.plane.store import Store

_LISTS = ("VpcSecurityGroupIds", "EnableCloudwatchLogsExports")


class Api:
    """The actions that act on real servers; all others stay the emulator's."""

    def __init__(self, context: Context, instances: Instances, snapshots: Snapshots, store: Store) -> None:
        self._context = context
        self._store = store
        self._instances = instances
        self._snapshots = snapshots

    def install(self) -> None:
        """Take these actions over."""
        rds = records.rds()
        actions: dict[str, Callable[[Request], str]] = {
            "CreateDBInstance": lambda r: _instance(self._instances.create(r)),
            "ModifyDBInstance": lambda r: _instance(self._instances.modify(r["DBInstanceIdentifier"], r)),
            "StopDBInstance": self._stop,
            "StartDBInstance": lambda r: _instance(self._instances.start(r["DBInstanceIdentifier"])),
            "RebootDBInstance": lambda r: _instance(self._instances.reboot(r["DBInstanceIdentifier"])),
            "DeleteDBInstance": self._delete,
            "CreateDBSnapshot": self._create_snapshot,
            "CopyDBSnapshot": self._copy_snapshot,
            "DeleteDBSnapshot": lambda r: _snapshot(self._snapshots.delete(r["DBSnapshotIdentifier"])),
            "RestoreDBInstanceFromDBSnapshot": lambda r: _instance(
                self._snapshots.restore(r["DBSnapshotIdentifier"], r)
            ),
            "RestoreDBInstanceToPointInTime": self._restore_to_time,
            "DescribeDBInstanceAutomatedBackups": self._automated,
            "DeleteDBInstanceAutomatedBackup": self._delete_automated,
        }
        for name, action in actions.items():
            rds._ACTION_MAP[name] = self._edge(name, action)
        ministack.wrap(rds, "_instance_xml", self._complete_instance)
        modify = rds._ACTION_MAP["ModifyDBParameterGroup"]
        rds._ACTION_MAP["ModifyDBParameterGroup"] = self._then_apply(modify)
        # The emulator has no read replica that replicates; saying so beats a copy of a record.
        rds._ACTION_MAP["CreateDBInstanceReadReplica"] = self._edge("CreateDBInstanceReadReplica", _refuse)

    def _then_apply(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A changed parameter group reaches the instances that have it."""

        def modify(parameters: dict[str, Any]) -> Any:
            answer = original(parameters)
            name = records.rds()._p(parameters, "DBParameterGroupName")
            for record in list(records.instances().values()) if answer[0] == 200 else ():
                groups = {group["DBParameterGroupName"] for group in record.get("DBParameterGroups") or []}
                if OURS in record and record["DBInstanceStatus"] == "available" and name in groups:
                    self._instances.apply_parameters(record)
            return answer

        return modify

    def _stop(self, request: Request) -> str:
        if name := request.get("DBSnapshotIdentifier"):
            self._snapshots.create(name, request["DBInstanceIdentifier"])
        return _instance(self._instances.stop(request["DBInstanceIdentifier"]))

    def _delete(self, request: Request) -> str:
        name, final = request["DBInstanceIdentifier"], request.get("FinalDBSnapshotIdentifier")
        skip = bool(request.get("SkipFinalSnapshot"))
        if skip and final:
            raise Fault(
                "InvalidParameterCombination",
                "FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot.",
            )
        record = self._instances.check_deletable(name)
        if not skip and not final:
            raise Fault(
                "InvalidParameterCombination",
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
            )
        if final:
            self._snapshots.create(final, name)
        keep = request.get("DeleteAutomatedBackups") is False
        if keep:
            self.retain(record)
        else:
            self._snapshots.drop_automated(record["DbiResourceId"])
        return _instance(self._instances.delete(name, keep_backups=keep))

    def retain(self, record: Record) -> bool:
        """Keep the automated backups of an instance that goes; False if it has none."""
        if record["BackupRetentionPeriod"]:
            self._retained()[record["DbiResourceId"]] = {**record, "DBInstanceStatus": "deleted"}
        return bool(record["BackupRetentionPeriod"])

    def _create_snapshot(self, request: Request) -> str:
        return _snapshot(
            self._snapshots.create(
                request.get("DBSnapshotIdentifier", ""),
                request["DBInstanceIdentifier"],
                tags=request.get("Tags", ()),
            )
        )

    def _copy_snapshot(self, request: Request) -> str:
        source = request["SourceDBSnapshotIdentifier"]
        tags = request.get("Tags")
        if request.get("CopyTags") and not tags:
            tags = records.snapshot(source)["TagList"]
        return _snapshot(
            self._snapshots.copy(
                source, request["TargetDBSnapshotIdentifier"], tags=tags, key=request.get("KmsKeyId")
            )
        )

    def _restore_to_time(self, request: Request) -> str:
        latest = bool(request.get("UseLatestRestorableTime"))
        moment = request.get("RestoreTime")
        if latest == bool(moment):
            raise Fault("InvalidParameterCombination", "Give either RestoreTime or UseLatestRestorableTime.")
        target = {**request, "DBInstanceIdentifier": request["TargetDBInstanceIdentifier"]}
        source = self._retained_source(request) or find_source(request)
        return _instance(
            self._snapshots.restore_to_time(source, parse(str(moment)) if moment else None, target)
        )

    def _automated(self, request: Request) -> str:
        wanted = request.get("DBInstanceIdentifier"), request.get("DbiResourceId")
        found = []
        for record, status in [
            *((one, "active") for one in records.instances().values() if one["BackupRetentionPeriod"]),
            *((one, "retained") for one in self._retained().values()),
        ]:
            if wanted[0] in (None, record["DBInstanceIdentifier"]) and wanted[1] in (
                None,
                record["DbiResourceId"],
            ):
                found.append(self._automated_xml(record, status))
        if not found and any(wanted):
            raise not_found(
                "DBInstanceAutomatedBackupNotFound", "Automated backup", str(wanted[0] or wanted[1])
            )
        return f"<DBInstanceAutomatedBackups>{''.join(found)}</DBInstanceAutomatedBackups>"

    def _delete_automated(self, request: Request) -> str:
        resource = str(request.get("DbiResourceId"))
        record = self._retained().get(resource)
        if record is None:
            raise not_found("DBInstanceAutomatedBackupNotFound", "Automated backup", resource)
        text = self._automated_xml(record, "deleting")
        self._retained().pop(resource)
        records.backups(self._context, resource).drop()
        self._snapshots.drop_automated(resource)
        return text

    def _automated_xml(self, record: Record, status: str) -> str:
        window = records.backups(self._context, record["DbiResourceId"]).window()
        shown = (
            f"<RestoreWindow><EarliestTime>{iso(window[0])}</EarliestTime>"
            f"<LatestTime>{iso(window[1])}</LatestTime></RestoreWindow>"
            if window
            else ""
        )
        arn = record["DBInstanceArn"].replace(":db:", ":auto-backup:")
        fields = {
            "DBInstanceArn": record["DBInstanceArn"],
            "DbiResourceId": record["DbiResourceId"],
            "DBInstanceIdentifier": record["DBInstanceIdentifier"],
            "DBInstanceAutomatedBackupsArn": arn.rpartition(":")[0] + f":ab-{record['DbiResourceId'][3:]}",
            "Region": ministack.region(),
            "Engine": record["Engine"],
            "EngineVersion": record["EngineVersion"],
            "MasterUsername": record["MasterUsername"],
            "AllocatedStorage": record["AllocatedStorage"],
            "BackupRetentionPeriod": record["BackupRetentionPeriod"],
            "StorageType": record.get("StorageType", "gp2"),
            "Status": status,
        }
        body = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in fields.items())
        return f"<DBInstanceAutomatedBackup>{body}{shown}</DBInstanceAutomatedBackup>"

    def _complete_instance(self, original: Callable[[Record], str]) -> Callable[[Record], str]:
        def xml(record: Record) -> str:
            text = original(record)
            if OURS not in record:
                return text
            latest = self._instances.latest_restorable(record)
            shown = f"<LatestRestorableTime>{iso(parse(latest))}</LatestRestorableTime>" if latest else ""
            text = re.sub(r"<LatestRestorableTime>.*?</LatestRestorableTime>", shown, text)
            exports = "".join(
                f"<member>{escape(one)}</member>" for one in record.get("EnabledCloudwatchLogsExports") or ()
            )
            text = text.replace(
                "<EnabledCloudwatchLogsExports/>",
                f"<EnabledCloudwatchLogsExports>{exports}</EnabledCloudwatchLogsExports>",
            )
            if record.get("PerformanceInsightsKMSKeyId"):
                key = escape(record["PerformanceInsightsKMSKeyId"])
                text += f"<PerformanceInsightsKMSKeyId>{key}</PerformanceInsightsKMSKeyId>"
            secret = record.get("MasterUserSecret")
            if secret:
                body = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in secret.items())
                text += f"<MasterUserSecret>{body}</MasterUserSecret>"
            return text

        return xml

    def _retained(self) -> dict[str, Record]:
        """Automated backups whose instance is gone, by resource id."""
        return self._store.table("retained-backups")

    def _retained_source(self, request: Request) -> Record | None:
        wanted = str(
            request.get("SourceDbiResourceId")
            or str(request.get("SourceDBInstanceAutomatedBackupsArn", "")).rpartition("ab-")[2]
        )
        return next((one for key, one in self._retained().items() if wanted and key.endswith(wanted)), None)

    def _edge(self, name: str, action: Callable[[Request], str]) -> Callable[[dict[str, Any]], Any]:
        """One action as the emulator calls it: query parameters in, XML out, faults as AWS writes them."""
        rds = records.rds()

        def answer(parameters: dict[str, Any]) -> Any:
            try:
                body = action(read(parameters))
            except Fault as fault:
                return rds._error(fault.code, escape(fault.message), fault.status)
            except KeyError as missing:
                said = f"The request must contain the parameter {missing.args[0]}."
                return rds._error("MissingParameter", said, 400)
            return rds._xml(200, f"{name}Response", f"<{name}Result>{body}</{name}Result>")

        return answer


def read(parameters: dict[str, Any]) -> Request:
    """A query's parameters as a request: text stays text, lists and tags become lists."""
    rds = records.rds()
    request: Request = {}
    for key in parameters:
        value = rds._p(parameters, key)
        if "." not in key and key not in {"Action", "Version"} and value != "":
            request[key] = value == "true" if value in {"true", "false"} else value
    for key in _LISTS:
        if found := rds._parse_member_list(parameters, key):
            request[key] = found
    logs = "CloudwatchLogsExportConfiguration"
    if any(key.startswith(f"{logs}.") for key in parameters):
        request[logs] = {
            name: rds._parse_member_list(parameters, f"{logs}.{name}")
            for name in ("EnableLogTypes", "DisableLogTypes")
        }
    if tags := rds._parse_tags(parameters):
        request["Tags"] = tags
    return request


def _instance(record: Record) -> str:
    return f"<DBInstance>{records.rds()._instance_xml(record)}</DBInstance>"


def _snapshot(record: Record) -> str:
    return f"<DBSnapshot>{records.rds()._snapshot_xml(record)}</DBSnapshot>"


def _refuse(_: Request) -> str:
    raise Fault("InvalidParameterCombination", "The local AWS has no read replicas.")
