"""How an operation on a stack can end other than well."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from gymops.errors import GateRefused, GymopsError

if TYPE_CHECKING:
    from gymops.deploy.stack.events import Diagnosis


class StackFailed(GymopsError):
    """An operation on a stack failed; ``diagnosis`` has the cause, its remedy and what followed from it."""

    code: ClassVar[str] = "stack"

    def __init__(
        self, message: str, *, hint: str | None = None, status: str = "", diagnosis: Diagnosis | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.diagnosis = diagnosis


class RolledBack(StackFailed):
    """An operation on a stack failed, and the stack is as it was before."""

    exit_code: ClassVar[int] = 5
    code: ClassVar[str] = "rolled_back"


class RollbackFailed(StackFailed):
    """An operation on a stack failed, and rolling it back failed too."""

    exit_code: ClassVar[int] = 6
    code: ClassVar[str] = "rollback_failed"


class ChangeSetFailed(GymopsError):
    """CloudFormation could not make a change set of what was given."""

    code: ClassVar[str] = "change_set"


class StackMoved(GateRefused):
    """The stack is not the one that was previewed."""

    code: ClassVar[str] = "moved"
