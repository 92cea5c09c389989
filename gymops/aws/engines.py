"""RDS: which versions of a database it offers, and until when it supports them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated


@dataclass(frozen=True)
class Engine:
    """A version of a database as RDS offers it."""

    version: str
    status: str
    """``available`` or ``deprecated``."""
    ends: datetime | None
    """The end of the major version's standard support, if RDS tells."""


class Engines:
    """The databases of a region."""

    def __init__(self, account: Account, region: str) -> None:
        self._account = account
        self._region = region

    def engine(self, name: str, version: str) -> Engine | None:
        """A version (``18`` is any of 18); None if it is not offered.

        Raises:
            AwsError: it may not be asked, or RDS does not answer.
        """
        with translated(f"the versions of {name}"):
            found = self._client.describe_db_engine_versions(
                Engine=name, EngineVersion=version, IncludeAll=True
            )
        rows = found["DBEngineVersions"]
        if not rows:
            return None
        best = next((one for one in rows if one.get("Status") == "available"), rows[-1])
        major = best.get("MajorEngineVersion") or version.partition(".")[0]
        return Engine(best["EngineVersion"], best.get("Status", "available"), self._ends(name, major))

    def _ends(self, name: str, major: str) -> datetime | None:
        try:
            with translated(f"the support of {name} {major}"):
                found = self._client.describe_db_major_engine_versions(Engine=name, MajorEngineVersion=major)
        except AwsError:
            return None  # that there is such a version is known all the same
        ends = [
            one["LifecycleSupportEndDate"]
            for version in found["DBMajorEngineVersions"]
            for one in version.get("SupportedEngineLifecycles", ())
            if one["LifecycleSupportName"] == "open-source-rds-standard-support"
        ]
        return min(ends, default=None)

    @property
    def _client(self) -> Any:
        return self._account.client("rds", self._region, timeout=10.0, attempts=3)
