"""The master user's password: set by the owner, or kept in a secret that RDS manages."""

from __future__ import annotations

import json
import uuid
from typing import Any

from gymops.local.plane import ministack, postgres
from gymops.local.plane.context import Context
from gymops.local.plane.faults import Fault, wrong_state
from gymops.local.plane.rds import records
from gymops.local.plane.rds.records import Record


class Passwords:
    """Changes of the master user's password."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def check(self, password: str | None) -> None:
        """Refuse what RDS refuses."""
        if not password or len(password) < 8 or set(password) & set('/"@ '):
            raise Fault(
                "InvalidParameterValue",
                "The parameter MasterUserPassword is not a valid password. It must be at least 8 characters"
                ' and hold no "/", "@", \'"\' or space.',
            )

    def modify(self, record: Record, request: dict[str, Any]) -> None:
        """What a modification says of the password.

        Raises:
            Fault: it contradicts itself, or the server does not run.
        """
        if password := request.get("MasterUserPassword"):
            if record.get("MasterUserSecret") and request.get("ManageMasterUserPassword") is not False:
                raise Fault("InvalidParameterCombination", "The password is managed in Secrets Manager.")
            self.check(password)
            self._set(record, password)
        managed = request.get("ManageMasterUserPassword")
        if managed is True and not record.get("MasterUserSecret"):
            self.take_over(record, request.get("MasterUserSecretKmsKeyId"))
        elif managed is False and record.get("MasterUserSecret"):
            if not request.get("MasterUserPassword"):
                raise Fault("InvalidParameterCombination", "MasterUserPassword is required.")
            self.drop_secret(record)
        if request.get("RotateMasterUserPassword"):
            self.rotate(record)

    def take_over(self, record: Record, key: str | None) -> None:
        """A new password, kept in a secret from now on."""
        password = records.new_password()
        self._set(record, password)
        self.keep(record, password, key)

    def rotate(self, record: Record) -> None:
        """A new password for a master user whose secret RDS manages."""
        if not record.get("MasterUserSecret"):
            raise Fault("InvalidParameterCombination", "The password is not managed in Secrets Manager.")
        password = records.new_password()
        self._set(record, password)
        secrets = ministack.service("secretsmanager")
        _, secret = secrets._resolve(record["MasterUserSecret"]["SecretArn"])
        secrets._publish_new_version(secret, secret_string=_text(record, password))

    def keep(self, record: Record, password: str, key: str | None) -> None:
        """Put the password into a secret of its own."""
        arn, _ = ministack.service("secretsmanager")._store_new_secret(
            f"rds!db-{uuid.uuid4()}",
            secret_string=_text(record, password),
            description=f"Secret associated with primary RDS DB instance: {record['DBInstanceArn']}",
            kms_key_id=key,
            tags=[{"Key": "aws:rds:primaryDBInstanceArn", "Value": record["DBInstanceArn"]}],
        )
        record["MasterUserSecret"] = {"SecretArn": arn, "SecretStatus": "active", "KmsKeyId": key or ""}

    def drop_secret(self, record: Record) -> None:
        """Delete the secret, if there is one."""
        if held := record.pop("MasterUserSecret", None):
            secrets = ministack.service("secretsmanager")
            key, secret = secrets._resolve(held["SecretArn"])
            if secret:
                secrets._purge_secret(key, secret)

    def _set(self, record: Record, password: str) -> None:
        database = records.database(self._context, record)
        if not postgres.runs(database):
            raise wrong_state(record["DBInstanceIdentifier"], record["DBInstanceStatus"], "available")
        postgres.set_password(database, record["MasterUsername"], password)


def _text(record: Record, password: str) -> str:
    return json.dumps({"username": record["MasterUsername"], "password": password})
