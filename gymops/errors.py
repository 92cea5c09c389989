"""Every error a user can meet: what is wrong, the exit code, and the next command to run."""

from __future__ import annotations

from typing import ClassVar

EXIT_CODES: dict[int, str] = {
    0: "done, or nothing to do",
    1: "failed; the message names the cause and the next command to try",
    2: "wrong usage or configuration",
    3: "differences found or changes pending",
    4: "a safety gate refused",
    5: "failed and rolled back",
    6: "the rollback failed too",
    7: "someone else holds the lock (who, since when)",
    8: "detached; still running",
    130: "interrupted",
}


class GymopsError(Exception):
    """An operation failed. ``hint`` names the next command to try; neither holds a secret."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "failed"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def unknown(self) -> bool:
        """Whether what was asked for may be done, or be going on, all the same: this is then no failure."""
        return self.exit_code == Detached.exit_code

    def as_dict(self) -> dict[str, object]:
        """The document printed under ``--json``: ``{"error": {"code", "message", "hint"}}``."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}


class ConfigError(GymopsError):
    """Wrong usage or configuration."""

    exit_code = 2
    code = "configuration"


class NobodyToAsk(ConfigError):
    """A question, and no terminal to ask it at; nothing was changed by that."""

    code: ClassVar[str] = "nobody_to_ask"


class SourceError(GymopsError):
    """The source cannot be read: missing, locked, damaged, encrypted, or no event log."""

    code = "source"


class BadEvents(GymopsError):
    """The source holds rows the target cannot hold, and the run stopped before writing them."""

    code = "bad_events"


class TargetError(GymopsError):
    """The target database cannot be used: unreachable, full, read-only, too old or missing rights."""

    code = "target"


class ServerError(GymopsError):
    """The embedded PostgreSQL cannot be started, stopped or reached."""

    code = "server"


class LocalError(GymopsError):
    """The local AWS cannot be started, stopped or reached."""

    code = "local"


class SchemaError(GymopsError):
    """A schema revision cannot be applied or does not fit this version of gymops."""

    code = "schema"


class Unverified(GymopsError):
    """The comparison could not be carried out, so nothing is proved either way."""

    code = "unverified"


class AppFailed(GymopsError):
    """The app does not come up on what was restored, or does not answer."""

    code = "app"


class DifferenceFound(GymopsError):
    """Two event logs that must be equal are not."""

    exit_code = 3
    code = "difference"


class GateRefused(GymopsError):
    """A safety gate refused to go on."""

    exit_code = 4
    code = "refused"


class LockHeld(GymopsError):
    """Someone else holds the lock; the message says who and since when."""

    exit_code = 7
    code = "locked"


class LockLost(LockHeld):
    """The lock was ours; now it is another's, or may be."""

    code = "lock_lost"


class Exists(GymopsError):
    """What was to be made is there already, made by another."""

    code = "exists"


class Changed(GymopsError):
    """What was to be replaced is no longer what it was when it was read."""

    code = "changed"


class Detached(GymopsError):
    """Nobody watches any more; what was begun runs on, and the same command goes on with it."""

    exit_code = 8
    code = "detached"


class Unknown(Detached):
    """The credentials expired or the network was lost: what was begun may be done, or still running."""

    code = "unknown"


class Interrupted(GymopsError):
    """Ctrl-C; what was done is recorded and the same command goes on."""

    exit_code = 130
    code = "interrupted"
