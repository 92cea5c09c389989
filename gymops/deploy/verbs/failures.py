"""How releasing can end other than well."""

from __future__ import annotations

from typing import ClassVar

from gymops.errors import GateRefused, GymopsError


class Declined(GymopsError):
    """The person at the terminal said no; nothing was changed by that."""

    exit_code: ClassVar[int] = 130
    code: ClassVar[str] = "declined"


class WorkFailed(GymopsError):
    """One-shot work on the database failed; no traffic moved."""

    code: ClassVar[str] = "work"


class NotTested(GateRefused):
    """What is to be promoted was not released, tested and found well where it comes from."""

    code: ClassVar[str] = "not_tested"


class NothingToReturnTo(GateRefused):
    """There is no earlier release, or none that the present schema allows."""

    code: ClassVar[str] = "no_target"
