"""CloudWatch Logs: what a log group took in from a moment on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated


@dataclass(frozen=True)
class Line:
    """One event of a log stream."""

    group: str
    stream: str
    at: datetime
    text: str
    id: str = ""
    """AWS's own; empty where none is given."""


class Logs:
    """The log groups of an account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def lines(self, group: str, region: str, since: datetime, pattern: str = "") -> Iterator[Line]:
        """Every event since then, page after page; an empty page is not the last one.

        A group that does not exist has none: it is made with the function's first line.

        Raises:
            AwsError: the service does not answer.
        """
        client = self._account.client("logs", region)
        asked = {"logGroupName": group, "startTime": int(since.timestamp() * 1000)}
        asked |= {"filterPattern": pattern} if pattern else {}
        while True:
            try:
                with translated(f"the log {group}"):
                    page = client.filter_log_events(**asked)
            except AwsError as error:
                if error.reason == "ResourceNotFoundException":
                    return
                raise
            for one in page.get("events", ()):
                at = datetime.fromtimestamp(one["timestamp"] / 1000, UTC)
                stream, text = one.get("logStreamName", ""), one.get("message", "")
                yield Line(group, stream, at, text.rstrip("\n"), one.get("eventId", ""))
            if not page.get("nextToken"):
                return
            asked["nextToken"] = page["nextToken"]
