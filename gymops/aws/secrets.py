"""Secrets Manager: the text of one secret, by its ARN."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from gymops.aws.session import AwsError, client, translated
from gymops.errors import ConfigError

_ARN = re.compile(
    r"(?P<arn>arn:aws[a-z-]*:secretsmanager:(?P<region>[a-z0-9-]+):\d{12}:secret:[\w/+=.@!-]+)"
    r"(?::(?P<key>[^:]*):(?P<stage>[^:]*):(?P<version>[^:]*))?"
)


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
