"""Seals and proofs of a database that only a function in its network reaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gymops.backup.port import Tell
from gymops.errors import AppFailed, GateRefused, GymopsError, SourceError, Unverified
from gymops.eventlog import parts
from gymops.eventlog.digest import Rejected, Stream
from gymops.eventlog.postgres import Between
from gymops.eventlog.proof import Part, Proof, proof
from gymops.eventlog.seal import Grown, LogDamaged, Seal, Sealed
from gymops.eventlog.sealing import compose, following, known

_SEALED = 3
"""Hashes that a sealed user costs on the way in."""
_CODES: Mapping[str, type[GymopsError]] = {
    "app": AppFailed, "refused": GateRefused, "source": SourceError, "unverified": Unverified,
}  # fmt: skip


class Answer(Protocol):
    """What a function answered."""

    @property
    def answer(self) -> Any:
        """The document."""
        ...

    @property
    def failed(self) -> bool:
        """Whether it raised, timed out or could not start."""
        ...


class Functions(Protocol):
    """Lambda functions."""

    def invoke(self, function: str, event: dict[str, Any]) -> Answer:
        """Call one, and wait."""
        ...


class WorkFailed(GymopsError):
    """The function that reaches the database could not do it."""

    code = "work"


class Inside:
    """The one-shot function of an environment (``gymops.app.operations``)."""

    def __init__(self, functions: Functions, function: str) -> None:
        self._functions = functions
        self._function = function

    def seal(self, before: Sealed, environment: str, tell: Tell, *, always: bool = False) -> Seal | None:
        """The next seal; None if the log is as the last one says, unless there is to be one always.

        Raises:
            LogDamaged: the log holds fewer events than were sealed, or others, or cannot be read.
            SourceError: there is no event log.
            WorkFailed: the function could not do it.
        """
        streams = known(before)
        last = before.last.rejected if before.last else Rejected()
        number, grown, at = following(before), dict[str, Grown](), None
        for users, names in parts.split(dict.fromkeys(streams, _SEALED)):
            tell("seal", f"{len(names)} users known")
            begun: Between | None = users
            while begun is not None:  # those that grew may be too many for one answer
                answer = self._ask(
                    "seal",
                    **vars(begun),
                    known=parts.known({user: streams[user] for user in names if begun.holds(user)}),
                    number=number,
                    rejected=vars(last),
                    grown=always or bool(grown),
                )
                grown |= parts.read_grown(answer["streams"])
                at, told = answer.get("mark"), answer.get("upto")
                begun = None if told is None else Between(told, users.upto)
        if at is None:
            return None
        marked, rejected = parts.read_mark(at)
        return compose(before, environment, grown, rejected, marked)

    def prove(self, sealed: Sealed, at: Mapping[str, Any], tell: Tell) -> Proof:
        """Hold another database to a seal; ``at``: its host and port, and its secret's ARN if it has one.

        Raises:
            Unverified: it could not be read.
            SourceError: what came back is no event log any more, or damaged.
        """
        answered: list[tuple[Mapping[str, Stream], Part]] = []
        rejected = Rejected()
        for users, names in parts.split({user: len(sealed.chunks[user]) + 1 for user in sealed.streams}):
            tell("prove", f"{len(names)} users, from {at['host']}")
            streams = {user: sealed.streams[user] for user in names}
            expected = parts.Expected(streams, {user: sealed.chunks[user] for user in names})
            try:
                answer = self._ask("prove", **vars(users), expected=parts.expected(expected), at=dict(at))
            except GymopsError as error:
                if error.unknown or isinstance(error, Unverified | SourceError):
                    raise
                raise Unverified(f"what came back cannot be read: {error.message}", hint=error.hint) from None
            answered.append((streams, parts.read_held(answer["part"])))
            rejected = Rejected(**answer.get("rejected", {}))
        return proof(sealed, answered, rejected)

    def spoil(self, at: Mapping[str, Any], how: str) -> str:
        """Put a fault into another database; what was done.

        Raises:
            GateRefused: it is the environment's own.
            Unverified: there is nothing to spoil.
            WorkFailed: the function could not do it.
        """
        return str(self._ask("spoil", at=dict(at), how=how)["spoilt"])

    def read(self, at: Mapping[str, Any]) -> str:
        """Run the app on another database and read through it; what it read.

        Raises:
            AppFailed: it does not work on it.
            WorkFailed: the function could not do it.
        """
        return str(self._ask("read", at=dict(at))["read"])

    def _ask(self, do: str, **options: Any) -> dict[str, Any]:
        event = {"do": do, **options}
        done = self._functions.invoke(self._function, event)
        found = done.answer if isinstance(done.answer, dict) else {}
        error = found.get("error")
        if done.failed or error or not found:
            error = error or {"message": found.get("errorMessage") or "it did not answer"}
            code = str(error.get("code", ""))
            hint = error.get("hint") or f"the log of {self._function} says more"
            if code == "configuration" and "asks for" in error["message"]:
                hint = "it runs an older gymops: release again, so that it can do this, too"
            if code == LogDamaged.code:
                raise LogDamaged(error["message"], hint=hint)
            raise _CODES.get(code, WorkFailed)(f"{do}: {error['message']}", hint=hint)
        return found
