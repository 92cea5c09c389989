"""S3's object lock: what may not be deleted before a time, where the bucket has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from gymops.aws.session import AwsError, translated
from gymops.clock import Clock

RECORDS = timedelta(days=400)
"""How long records are held: longer than any tier is kept, and they are small."""
LOCKED = ("keys/", "points/", "seals/", "summaries/", "tests/")
"""What of the records is held. Not leases, and the record of what a source is: those are written anew."""
_NONE = frozenset({"NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "NoSuchKey"})


@dataclass(frozen=True)
class ObjectLock:
    """The lock of a bucket, as it is set there; gymops sets none up.

    Where it is on, records are written with it, in the same call, and a recovery point's files are held.
    By governance, unless the bucket's own default says compliance, which nobody can ever take back.
    """

    client: Any
    bucket: str
    clock: Clock
    prefix: str = ""
    """What keys in it begin with."""

    @property
    def on(self) -> bool:
        """Whether the bucket has it.

        Raises:
            AwsError: nobody may look.
        """
        return self._default is not None

    def held(self, key: str) -> dict[str, Any]:
        """What is asked of S3 beside writing a record (its whole key): nothing, or that it is kept."""
        if not key.removeprefix(self.prefix).startswith(LOCKED) or self._default is None:
            return {}
        mode, least = self._default
        until = self.clock.now() + max(RECORDS, least)  # what is asked for goes before the bucket's default
        return {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until}

    def hold(self, key: str, until: datetime) -> None:
        """Keep what is there from being deleted until then; what is held for longer stays so."""
        if self._default is None:
            return
        there = self.until(key)
        if there is None or there < until:
            retention = {"Mode": self._default[0], "RetainUntilDate": until}
            with translated(self._name(key)):
                self.client.put_object_retention(
                    Bucket=self.bucket, Key=self.prefix + key, Retention=retention
                )

    def until(self, key: str) -> datetime | None:
        """Until when something is held; None: it is not."""
        try:
            with translated(self._name(key)):
                found = self.client.get_object_retention(Bucket=self.bucket, Key=self.prefix + key)[
                    "Retention"
                ]
        except AwsError as error:
            if error.reason in _NONE:
                return None
            raise
        until: datetime | None = found.get("RetainUntilDate")
        return until.astimezone(UTC) if until else None

    @cached_property
    def _default(self) -> tuple[str, timedelta] | None:
        """The mode, and for how long the bucket itself holds everything; None: it has no lock."""
        try:
            with translated(f"the object lock of {self.bucket}"):
                found = self.client.get_object_lock_configuration(Bucket=self.bucket)
        except AwsError as error:
            if error.reason == "AccessDenied" or error.unknown:
                raise
            return (
                None  # no lock; and other stores that speak S3 say in words of their own that they have none
            )
        rule = found["ObjectLockConfiguration"].get("Rule", {}).get("DefaultRetention", {})
        days = rule.get("Days", 0) + 366 * rule.get("Years", 0)
        return rule.get("Mode", "GOVERNANCE"), timedelta(days=days)

    def _name(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{key}"
