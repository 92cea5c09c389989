"""The emulator's record of an instance, and what belongs to it on this machine."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from gymops.local import ports
from gymops.local.plane import ministack
from gymops.local.plane.context import Context
from gymops.local.plane.faults import Fault, not_found
from gymops.local.plane.postgres import Database, Run
from gymops.local.plane.recovery import AutomatedBackups

Record = dict[str, Any]
OURS = "_gymops"
"""The key under which a record holds what is not AWS's: it is saved with the rest and never shown."""

# What depends on this machine, or belongs to the server itself; the rest of a parameter group applies.
_NOT_APPLIED = frozenset({
    "port", "listen_addresses", "unix_socket_directories", "shared_buffers", "effective_cache_size",
    "max_connections", "archive_mode", "archive_command", "archive_timeout", "restore_command", "wal_level",
    "data_directory", "hba_file", "ssl", "ssl_ca_file", "ssl_cert_file", "ssl_key_file", "huge_pages",
    "shared_preload_libraries", "log_directory", "log_filename", "logging_collector", "log_destination",
    "config_file", "ident_file", "external_pid_file", "password_encryption",
})  # fmt: skip


def rds() -> Any:
    """The emulator's RDS."""
    return ministack.service("rds")


def instances() -> dict[str, Record]:
    """The instances of the account and region being served."""
    found: dict[str, Record] = rds()._instances
    return found


def snapshots() -> dict[str, Record]:
    """Their snapshots."""
    found: dict[str, Record] = rds()._snapshots
    return found


def instance(identifier: str) -> Record:
    """One instance, by its name, its ARN or its resource id.

    Raises:
        Fault: there is none.
    """
    name = identifier.rsplit(":", 1)[-1]
    found = instances().get(name)
    if found is None:
        found = next((one for one in instances().values() if one["DbiResourceId"] == name), None)
    if found is None:
        raise not_found("DBInstanceNotFound", "DBInstance", identifier)
    return found


def snapshot(identifier: str) -> Record:
    """One snapshot, by its name or, from another region too, by its ARN.

    Raises:
        Fault: there is none.
    """
    found: Record | None
    if identifier.startswith("arn:"):
        _, _, _, region, account, _, name = identifier.split(":", 6)
        if account != ministack.account():
            raise Fault("AccessDenied", f"{identifier} is another account's", 403)
        found = rds()._snapshots.get_scoped(account, region, name)
    else:
        found = snapshots().get(identifier)
    if found is None:
        raise not_found("DBSnapshotNotFound", "DBSnapshot", identifier)
    return found


def database(context: Context, record: Record) -> Database:
    """The server behind an instance."""
    return Database(
        context.databases / record["DbiResourceId"],
        context.settings.postgres,
        int(record["Endpoint"]["Port"]),
    )


def backups(context: Context, resource: str) -> AutomatedBackups:
    """The automated backups of an instance, by its resource id."""
    return AutomatedBackups(context.automated / resource)


def run(context: Context, record: Record, recovery: dict[str, str] | None = None) -> Run:
    """How its server is to run."""
    return Run(
        archives=int(record["BackupRetentionPeriod"]) > 0,
        iam=bool(record.get("IAMDatabaseAuthenticationEnabled")),
        durable=context.settings.durable,
        parameters=record[OURS].get("parameters", {}),
        recovery=recovery or record[OURS].get("recovery"),
    )


def adopt(record: Record, **ours: Any) -> None:
    """Give a new record an address on this machine and a place for what is ours."""
    record[OURS] = ours
    record["Endpoint"] = {
        "Address": "127.0.0.1",
        "Port": ports.free_port(),
        "HostedZoneId": "Z2R2ITUGPM61AM",
    }


def group_parameters(name: str) -> dict[str, str]:
    """What a parameter group sets that applies here."""
    group = rds()._param_groups.get(name) or {}
    values = {
        key: str(value.get("ParameterValue", "") if isinstance(value, dict) else value)
        for key, value in (group.get("Parameters") or {}).items()
    }
    return {
        key: value
        for key, value in values.items()
        if value and "{" not in value and key not in _NOT_APPLIED and not key.startswith("rds.")
    }


def new_password() -> str:
    """A password as RDS makes one for a secret it manages."""
    return secrets.token_urlsafe(24)


def data_of(context: Context, snapshot: Record) -> Path:
    """Where a snapshot's data lies."""
    return context.snapshots / str(snapshot[OURS]["data"])
