"""CloudFormation's drift detection: what was changed by hand since a stack was deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import translated
from gymops.aws.stack import Detail

_TIMEOUT = 20.0
_ATTEMPTS = 8


@dataclass(frozen=True)
class Detection:
    """How a detection ended."""

    complete: bool
    """False: some resources could not be looked at."""
    reason: str = ""


@dataclass(frozen=True)
class Drifted:
    """A resource that was looked at; of each difference ``before`` is expected, ``after`` is there."""

    name: str
    kind: str
    physical: str
    status: str
    """``IN_SYNC``, ``MODIFIED``, ``DELETED``, ``NOT_CHECKED``, ``UNKNOWN``."""
    details: tuple[Detail, ...] = ()


class Drift:
    """Drift detection in one region. It changes nothing but what CloudFormation remembers of drift."""

    def __init__(self, boto: Any) -> None:
        self._boto = boto

    @classmethod
    def of(cls, account: Account, region: str | None = None) -> Drift:
        """In a region of an account."""
        return cls(account.client("cloudformation", region, timeout=_TIMEOUT, attempts=_ATTEMPTS))

    def begin(self, stack: str) -> str:
        """Begin to detect; the detection's id.

        Raises:
            AwsError: the stack is moving or half made, or a detection runs already.
        """
        with translated(f"the drift of {stack}"):
            return str(self._boto.detect_stack_drift(StackName=stack)["StackDriftDetectionId"])

    def ended(self, detection: str) -> Detection | None:
        """How it ended; None while it runs."""
        with translated("the drift detection"):
            told = self._boto.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if told["DetectionStatus"] == "DETECTION_IN_PROGRESS":
            return None
        done = told["DetectionStatus"] == "DETECTION_COMPLETE"
        return Detection(done, told.get("DetectionStatusReason", ""))

    def resources(self, stack: str) -> Sequence[Drifted]:
        """What the last detection found of each resource it looked at."""
        asked: dict[str, Any] = {"StackName": stack}
        found: list[Drifted] = []
        while True:
            with translated(f"the drift of {stack}"):
                page = self._boto.describe_stack_resource_drifts(**asked)
            found += [_drifted(one) for one in page["StackResourceDrifts"]]
            if not page.get("NextToken"):
                return found
            asked["NextToken"] = page["NextToken"]


def _drifted(one: Mapping[str, Any]) -> Drifted:
    return Drifted(
        name=one["LogicalResourceId"],
        kind=one["ResourceType"],
        physical=one.get("PhysicalResourceId", ""),
        status=one["StackResourceDriftStatus"],
        details=tuple(
            Detail(
                attribute="Properties",
                name=difference["PropertyPath"].strip("/").split("/")[0],
                path=f"/Properties{difference['PropertyPath']}",
                evaluation=difference["DifferenceType"],
                before=difference.get("ExpectedValue"),
                after=difference.get("ActualValue"),
            )
            for difference in one.get("PropertyDifferences", ())
        ),
    )
