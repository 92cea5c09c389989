"""The proof of an instance that was restored, whoever restored it: from inside of its network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gymops.aws.databases import Databases
from gymops.backup.catalogue import Seals
from gymops.backup.managed.inside import Functions, Inside
from gymops.backup.port import Tell
from gymops.backup.recovery_point import SealedAt
from gymops.errors import Unverified
from gymops.eventlog.proof import Proof


@dataclass(frozen=True)
class Proving:
    """What a proof needs."""

    databases: Databases
    functions: Functions
    function: str | None
    """What reaches the database."""
    seals: Seals

    def prove(self, instance: str, seal: SealedAt | None, tell: Tell) -> Proof:
        """Hold it to a seal.

        Raises:
            Unverified: there is no seal, no way to it, or nothing there.
        """
        environment = self.seals.environment
        if seal is None:
            raise Unverified(
                f"nothing of {environment} was sealed by then, so there is nothing to hold it to",
                hint=f"gymops backup {environment} seals",
            )
        if not self.function:
            raise Unverified("nothing reaches the database: no function does one-shot work in its network",
                             hint="set OperationsHandler, and release")  # fmt: skip
        there = self.databases.find(instance)
        if there is None:
            raise Unverified(f"{instance} was deleted meanwhile", hint="run the same again")
        at: dict[str, Any] = {"host": there.host, "port": there.port}
        if there.secret:
            at["secret"] = there.secret
        return Inside(self.functions, self.function).prove(self.seals.sealed(seal.number), at, tell)
