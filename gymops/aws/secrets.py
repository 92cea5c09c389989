"""Secrets Manager: the text of one secret, by its ARN; and secrets as they are made, rotated and read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Self

from gymops.aws.account import Account
from gymops.aws.session import AwsError, client, translated
from gymops.errors import ConfigError

_ARN = re.compile(
    r"(?P<arn>arn:aws[a-z-]*:secretsmanager:(?P<region>[a-z0-9-]+):\d{12}:secret:[\w/+=.@!-]+)"
    r"(?::(?P<key>[^:]*):(?P<stage>[^:]*):(?P<version>[^:]*))?"
)


_PLACE = ("SecretStringTemplate", "GenerateStringKey")


@dataclass(frozen=True)
class Reference:
    """A secret, or one value of it, in the notation of ECS: ``ARN[:json-key:version-stage:version-id]``."""

    arn: str
    region: str
    key: str = ""
    stage: str = ""
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the notation.

        Raises:
            ConfigError: it is no secret's ARN. It is not repeated: someone may have put the secret there.
        """
        found = _ARN.fullmatch(text)
        if found is None:
            raise ConfigError(
                "this is not the ARN of a secret",
                hint="arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:json-key::]",
            )
        return cls(**{name: value or "" for name, value in found.groupdict().items()})


def read(arn: str) -> str:
    """The secret's text, or the text of its one value; the notation is that of ``Reference``.

    Raises:
        AwsError: Secrets Manager refuses or does not answer.
        ConfigError: this is no secret's ARN, the secret is binary, or has no such key.
    """
    return _read(Reference.parse(arn))


def read_stage(arn: str, stage: str) -> str | None:
    """The text of ``AWSPREVIOUS`` (before the last rotation) or of ``AWSPENDING``; None if there is none.

    Raises:
        AwsError, ConfigError: as ``read``.
    """
    try:
        return _read(Reference.parse(arn), stage)
    except AwsError as error:
        if error.reason == "ResourceNotFoundException":
            return None
        raise


def _read(reference: Reference, stage: str = "") -> str:
    wanted = {"SecretId": reference.arn}
    if stage or reference.stage:
        wanted["VersionStage"] = stage or reference.stage
    elif reference.version:
        wanted["VersionId"] = reference.version
    with translated(f"the secret {reference.arn}"):
        answer = _manager(reference.region).get_secret_value(**wanted)
    text = answer.get("SecretString")
    if not isinstance(text, str):
        raise ConfigError(f"the secret {reference.arn} is binary", hint="store it as text or JSON")
    return _value(text, reference) if reference.key else text


@cache  # making a client takes longer than the call, and they are safe to share
def _manager(region: str) -> Any:
    return client("secretsmanager", region=region)


def _value(text: str, reference: Reference) -> str:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    value = document.get(reference.key) if isinstance(document, dict) else None
    if not isinstance(value, str):
        raise ConfigError(f"the secret {reference.arn} has no text under {reference.key!r}")
    return value


@dataclass(frozen=True)
class Secret:
    """A secret as Secrets Manager tells it; its value is no part of it."""

    arn: str
    name: str
    region: str
    created: datetime
    changed: datetime | None
    """When the value was made that is current."""
    stages: Mapping[str, str]
    """Stage -> the version it is on: AWSCURRENT, AWSPREVIOUS, AWSPENDING."""
    function: str | None = None
    """Of its rotation."""
    owner: str | None = None
    """The service whose own it is, as ``rds``."""

    @property
    def current(self) -> str:
        """The version that is in force."""
        return self.stages.get("AWSCURRENT", "")

    @property
    def pending(self) -> str | None:
        """The version that a rotation works on; it may be in force already, and not yet be found good."""
        return self.stages.get("AWSPENDING")


class Keeper:
    """The secrets of an account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def find(self, name: str, region: str) -> Secret | None:
        """A secret by its ARN or name; None if there is none, or it waits to be deleted.

        Raises:
            AwsError: the service does not answer.
        """
        client = self._account.client("secretsmanager", region)
        try:
            with translated(f"the secret {name}"):
                told = client.describe_secret(SecretId=name)
                versions = client.list_secret_version_ids(SecretId=name, MaxResults=100)["Versions"]
        except AwsError as error:
            if error.reason == "ResourceNotFoundException":
                return None
            raise
        if told.get("DeletedDate"):
            return None
        versions.sort(key=lambda one: one["CreatedDate"])  # those with a stage, of which there are few
        stages = {stage: one["VersionId"] for one in versions for stage in one.get("VersionStages", ())}
        made = {one["VersionId"]: one["CreatedDate"] for one in versions}
        return Secret(
            told["ARN"], told["Name"], region, told["CreatedDate"], made.get(stages.get("AWSCURRENT", "")),
            stages, told.get("RotationLambdaARN"), told.get("OwningService") or _owner(told["Name"]),
        )  # fmt: skip

    def master(self, instance: str, region: str) -> str | None:
        """The ARN of the secret in which RDS keeps the password of an instance's master."""
        with translated(f"the database {instance}"):
            client = self._account.client("rds", region)
            found = client.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"][0]
        arn: str | None = found.get("MasterUserSecret", {}).get("SecretArn")
        return arn

    def named_by(self, function: str, region: str) -> dict[str, str]:
        """The variables of a function that name a secret: variable -> ARN."""
        with translated(f"the function {function}"):
            client = self._account.client("lambda", region)
            found = client.get_function_configuration(FunctionName=function)
        variables = found.get("Environment", {}).get("Variables", {})
        matches = {name: _ARN.fullmatch(text) for name, text in variables.items()}
        return {name: match["arn"] for name, match in matches.items() if match}

    def keep(self, name: str, text: str, region: str, about: str) -> bool:
        """Make a secret of this name, or give it this value; False: it had it.

        Raises:
            AwsError: it cannot be made or stored.
        """
        client = self._account.client("secretsmanager", region)
        found = self.find(name, region)
        with translated(f"the secret {name}"):
            if found is None:
                client.create_secret(Name=name, SecretString=text, Description=about)
            elif client.get_secret_value(SecretId=found.arn)["SecretString"] == text:
                return False
            else:
                client.put_secret_value(SecretId=found.arn, SecretString=text)
        return True

    def pend(self, secret: Secret, rule: Mapping[str, Any] | None, text: str | None, token: str) -> str:
        """A new value that is not in force: this text, or one made as the template's rule says. Its version.

        Raises:
            AwsError: it cannot be made or stored.
        """
        client = self._account.client("secretsmanager", secret.region)
        with translated(f"the secret {secret.arn}"):
            if text is None:
                text = _generated(client, rule or {})
            put = client.put_secret_value(
                SecretId=secret.arn, SecretString=text, ClientRequestToken=token,
                VersionStages=["AWSPENDING"],
            )  # fmt: skip
        return str(put["VersionId"])

    def move(self, secret: Secret, stage: str, to: str | None, away: str) -> None:
        """Put a stage from one version to another, or only away; AWSPREVIOUS follows AWSCURRENT by itself.

        Raises:
            AwsError: it is elsewhere by now.
        """
        given = {"MoveToVersionId": to} if to else {}
        client = self._account.client("secretsmanager", secret.region)
        with translated(f"the secret {secret.arn}"):
            client.update_secret_version_stage(
                SecretId=secret.arn, VersionStage=stage, RemoveFromVersionId=away, **given
            )

    def rotate(self, secret: Secret, token: str) -> None:
        """Begin the rotation that is the secret's own, by its function or by the service whose it is.

        Raises:
            AwsError: it cannot be rotated now. One that runs already goes on, and is no error.
        """
        client = self._account.client("secretsmanager", secret.region)
        try:
            with translated(f"the secret {secret.arn}"):
                client.rotate_secret(SecretId=secret.arn, ClientRequestToken=token)
        except AwsError as error:
            if error.reason != "InvalidRequestException" or "previous rotation" not in error.message:
                raise


def _owner(name: str) -> str | None:
    """A service's own secrets are called after it, as in ``rds!db-...``."""
    return name.partition("!")[0] if "!" in name else None


def _generated(client: Any, rule: Mapping[str, Any]) -> str:
    """As CloudFormation's GenerateSecretString makes it."""
    shape = {name: value for name, value in rule.items() if name not in _PLACE}
    made: str = client.get_random_password(**shape)["RandomPassword"]
    if "SecretStringTemplate" not in rule:
        return made
    return json.dumps({**json.loads(rule["SecretStringTemplate"]), rule["GenerateStringKey"]: made})
