"""Types the emulator has and takes too lightly: what AWS would not delete, and what ``Ref`` gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.calls import Calls
from gymops.local.plane.faults import Fault
from gymops.local.plane.types.kind import typed

Handlers = dict[str, Any]
_BUCKET = "AWS::S3::Bucket"
_SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 - a type's name
_SUBNET = "AWS::EC2::Subnet"
_VAULT = "AWS::Backup::BackupVault"


def guarded(calls: Calls) -> dict[str, Handlers]:
    """The emulator's handlers of these types with ours around them."""
    there = ministack.handlers()
    return {
        _BUCKET: {
            **there[_BUCKET],
            "update": _suspending(there[_BUCKET]["update"], calls),
            "delete": _if_empty(there[_BUCKET]["delete"], calls),
        },
        _VAULT: {
            **_locking(_if_free(there[_VAULT], _vault_taken), calls),
            "delete": _if_no_points(there[_VAULT]["delete"], calls),
        },
        _SECRET: _by_arn(_if_free(there[_SECRET], _secret_taken)),
        _SUBNET: _with_its_block(there[_SUBNET]),
    }


def _if_empty(original: Callable[..., Any], calls: Calls) -> Callable[..., Any]:
    def delete(physical_id: str, props: dict[str, Any]) -> Any:
        s3 = calls.client("s3")
        try:
            held = s3.list_object_versions(Bucket=physical_id, MaxKeys=1)
            full = held.get("Versions") or held.get("DeleteMarkers")
            full = full or s3.list_objects_v2(Bucket=physical_id, MaxKeys=1).get("Contents")
        except Exception as error:
            if calls.code_of(error) != "NoSuchBucket":
                raise
            full = None
        if full:
            raise Fault("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
        return original(physical_id, props)

    return delete


def _if_free(handlers: Handlers, taken: Callable[[dict[str, Any]], str]) -> Handlers:
    """A name that is taken, as by what an earlier stack retained: the emulator would write over it."""

    def create(logical_id: str, props: dict[str, Any], stack: str) -> Any:
        if name := taken(props):
            raise Fault("AlreadyExists", f"{name} already exists", 409)
        return handlers["create"](logical_id, props, stack)

    return {**handlers, "create": create}


def _vault_taken(props: dict[str, Any]) -> str:
    name = str(props.get("BackupVaultName") or "")
    return name if name in ministack.service("backup")._vaults else ""


def _secret_taken(props: dict[str, Any]) -> str:
    """One that is scheduled for deletion holds its name too."""
    name = str(props.get("Name") or "")
    return name if name in ministack.service("secretsmanager")._secrets else ""


def _suspending(original: Callable[..., Any], calls: Calls) -> Callable[..., Any]:
    """Versioning is turned on by the emulator's own update, and never off."""

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> Any:
        made = original(physical_id, old, new, stack)
        wanted = new.get("VersioningConfiguration") or {"Status": "Suspended"}
        if old.get("VersioningConfiguration"):
            calls.client("s3").put_bucket_versioning(Bucket=made[0], VersioningConfiguration=wanted)
        return made

    return update


def _locking(handlers: Handlers, calls: Calls) -> Handlers:
    """A vault's lock is a property of it, which the emulator passes over."""

    def lock(name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        before, after = old.get("LockConfiguration"), new.get("LockConfiguration")
        if after and after != before:
            calls.client("backup").put_backup_vault_lock_configuration(BackupVaultName=name, **typed(after))
        elif before and not after:
            calls.client("backup").delete_backup_vault_lock_configuration(BackupVaultName=name)

    def create(logical_id: str, props: dict[str, Any], stack: str) -> Any:
        made = handlers["create"](logical_id, props, stack)
        lock(made[0], {}, props)
        return made

    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> Any:
        made = handlers["update"](physical_id, old, new, stack, logical_id)
        lock(made[0], old if made[0] == physical_id else {}, new)
        return made

    return {**handlers, "create": create, "update": update, "update_with_logical_id": True}


def _if_no_points(original: Callable[..., Any], calls: Calls) -> Callable[..., Any]:
    def delete(physical_id: str, props: dict[str, Any]) -> Any:
        try:
            held = calls.client("backup").list_recovery_points_by_backup_vault(BackupVaultName=physical_id)
        except Exception as error:
            if calls.code_of(error) != "ResourceNotFoundException":
                raise
            held = {}
        if held.get("RecoveryPoints"):
            raise Fault(
                "InvalidRequestException",
                "Backup vault cannot be deleted (contains recovery points)",
            )
        return original(physical_id, props)

    return delete


def _by_arn(handlers: Handlers) -> Handlers:
    """A secret's ``Ref`` is its ARN; the emulator's own handlers know it by its name."""

    def arn(made: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        return made[1]["Arn"], made[1]

    def create(logical_id: str, props: dict[str, Any], stack: str) -> Any:
        return arn(handlers["create"](logical_id, props, stack))

    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> Any:
        return arn(handlers["update"](_secret_name(physical_id), old, new, stack, logical_id))

    def delete(physical_id: str, props: dict[str, Any]) -> Any:
        return handlers["delete"](_secret_name(physical_id), props)

    return {**handlers, "create": create, "update": update, "delete": delete}


def look_by_arn() -> None:
    """Drift detection looks for a secret by its name too."""
    readers = ministack.drift_readers()
    read, properties = readers[_SECRET]
    readers[_SECRET] = (lambda physical_id, props: read(_secret_name(physical_id), props), properties)


def _secret_name(physical_id: str) -> str:
    key, secret = ministack.service("secretsmanager")._resolve(physical_id)
    return str(key) if secret else physical_id


def _with_its_block(handlers: Handlers) -> Handlers:
    """A subnet's ``CidrBlock`` can be asked for with ``GetAtt``."""

    def create(logical_id: str, props: dict[str, Any], stack: str) -> Any:
        name, attributes = handlers["create"](logical_id, props, stack)
        return name, {**attributes, "CidrBlock": props["CidrBlock"], "VpcId": props["VpcId"]}

    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> Any:
        name, attributes = handlers["update"](physical_id, old, new, stack, logical_id)
        return name, {**attributes, "CidrBlock": new["CidrBlock"], "VpcId": new["VpcId"]}

    return {**handlers, "create": create, "update": update}
