"""AWS errors: raised where something is wrong, turned into an answer at the edge of each protocol."""

from __future__ import annotations


class Fault(Exception):
    """What the API refuses, with AWS's own code."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def not_found(code: str, kind: str, name: str) -> Fault:
    """Something that does not exist."""
    return Fault(code, f"{kind} {name} not found.", 404)


def wrong_state(identifier: str, state: str, *expected: str) -> Fault:
    """An instance that cannot do this now."""
    return Fault(
        "InvalidDBInstanceState",
        f"Instance {identifier} cannot be used in this way while {state}; it must be"
        f" {' or '.join(expected)}.",
    )
