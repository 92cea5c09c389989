"""What to do about a stack in each of its states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gymops.deploy.stack.kinds import DATA
from gymops.deploy.stack.port import StackResource


class Action(StrEnum):
    """The next step towards a stack that can be deployed to."""

    CREATE = "create"
    UPDATE = "update"
    WAIT = "wait"
    CONTINUE_ROLLBACK = "continue_rollback"
    ROLL_BACK = "roll_back"
    CLEAN_UP = "clean_up"
    REFUSE = "refuse"


class Ending(StrEnum):
    """How an operation on a stack ended."""

    DONE = "done"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"


ABSENT = "does not exist"

ACTIONS: dict[str, Action] = {
    ABSENT: Action.CREATE,
    "DELETE_COMPLETE": Action.CREATE,
    "REVIEW_IN_PROGRESS": Action.CREATE,  # an empty shell: a change set was made and never executed
    "CREATE_COMPLETE": Action.UPDATE,
    "UPDATE_COMPLETE": Action.UPDATE,
    "UPDATE_ROLLBACK_COMPLETE": Action.UPDATE,
    "IMPORT_COMPLETE": Action.UPDATE,
    "IMPORT_ROLLBACK_COMPLETE": Action.UPDATE,
    "CREATE_IN_PROGRESS": Action.WAIT,
    "ROLLBACK_IN_PROGRESS": Action.WAIT,
    "DELETE_IN_PROGRESS": Action.WAIT,
    "UPDATE_IN_PROGRESS": Action.WAIT,
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": Action.WAIT,
    "UPDATE_ROLLBACK_IN_PROGRESS": Action.WAIT,
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": Action.WAIT,
    "IMPORT_IN_PROGRESS": Action.WAIT,
    "IMPORT_ROLLBACK_IN_PROGRESS": Action.WAIT,
    "UPDATE_FAILED": Action.ROLL_BACK,
    "UPDATE_ROLLBACK_FAILED": Action.CONTINUE_ROLLBACK,
    "ROLLBACK_COMPLETE": Action.CLEAN_UP,
    "CREATE_FAILED": Action.CLEAN_UP,
    "ROLLBACK_FAILED": Action.CLEAN_UP,
    "DELETE_FAILED": Action.CLEAN_UP,
    "IMPORT_ROLLBACK_FAILED": Action.REFUSE,
}

_WHY = {
    Action.CREATE: "there is no stack yet",
    Action.UPDATE: "it can be changed",
    Action.WAIT: "another operation is running",
    Action.CONTINUE_ROLLBACK: "its last update failed, and so did the rollback",
    Action.ROLL_BACK: "its last update failed and was left as it is",
    Action.CLEAN_UP: "it was never completely created, or never completely deleted: it can only be deleted",
}

_LEFT_OVER = frozenset({"CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"})
"""In these something is left for certain, so a person says whether it may go."""


@dataclass(frozen=True)
class Decision:
    """What to do, and why."""

    action: Action
    status: str
    why: str
    confirm: bool = False
    """Whether a person must agree first."""
    live: tuple[str, ...] = ()
    """The resources that deleting the stack would delete."""


def decide(status: str | None, resources: Iterable[StackResource] = ()) -> Decision:
    """What to do about a stack in this state; ``resources`` count when it can only be deleted.

    Nothing that holds data is ever cleaned up, whoever agrees: that is a refusal.
    """
    status = status or ABSENT
    action = ACTIONS.get(status, Action.REFUSE)
    if action is Action.REFUSE:
        return Decision(action, status, f"no operation leads out of {status}")
    if action is not Action.CLEAN_UP:
        return Decision(action, status, _WHY[action])
    left = [one for one in resources if one.live]
    live = tuple(one.name for one in left)
    data = [one.name for one in left if one.kind in DATA]
    if data:
        return Decision(
            Action.REFUSE, status, f"it can only be deleted, and holds data: {', '.join(data)}", live=live
        )
    return Decision(action, status, _WHY[action], confirm=status in _LEFT_OVER or bool(live), live=live)


def ending(status: str, *, recovering: bool = False, deleting: bool = False) -> Ending:
    """How an operation ended that left the stack in this state.

    ``recovering``: it was a rollback that was asked for, so being rolled back is what was wanted.
    """
    if deleting:
        return Ending.DONE if status == "DELETE_COMPLETE" else Ending.FAILED
    if status in {"UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}:
        return Ending.DONE if recovering else Ending.ROLLED_BACK
    if status.endswith("ROLLBACK_FAILED"):
        return Ending.ROLLBACK_FAILED
    good = status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}
    return Ending.DONE if good else Ending.FAILED
