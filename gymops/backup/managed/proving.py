"""What is done with an instance that was restored, from inside of its network: above all, its proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gymops.aws.databases import Database, Databases
from gymops.backup.catalogue import Seals
from gymops.backup.managed.inside import Functions, Inside, WorkFailed
from gymops.backup.managed.tags import ENVIRONMENT, ID, TEST
from gymops.backup.port import Tell
from gymops.backup.recovery_point import SealedAt
from gymops.errors import GateRefused, Unverified
from gymops.eventlog.proof import Proof


@dataclass(frozen=True)
class Proving:
    """What it needs."""

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
        environment, function = self.seals.environment, self._needed()
        if seal is None:
            raise Unverified(
                f"nothing of {environment} was sealed by then, so there is nothing to hold it to",
                hint=f"gymops backup {environment} seals",
            )
        there = self._found(instance)
        return Inside(self.functions, function).prove(self.seals.sealed(seal.number), place(there), tell)

    def spoil(self, instance: str, how: str) -> str:
        """Put a fault into what a test restored; what was done.

        Raises:
            GateRefused: it is no such instance: RDS says so at this moment, and the function looks as well.
            Unverified: there is no way to it, or nothing there to spoil.
        """
        inside, there = self._reached(instance)
        tags, environment = there.tags, self.seals.environment
        if tags.get(ENVIRONMENT) != environment or ID not in tags or tags.get(TEST) != "true":
            raise GateRefused(
                f"{instance} was restored by no test of {environment}, and a drill spoils nothing else",
                hint=f"gymops restore-test {environment} --drill",
            )
        return inside.spoil(place(there), how)

    def read(self, instance: str) -> str:
        """Run the app on what was restored and read through it, where it can be reached; what it read.

        Raises:
            AppFailed: the app does not work on it.
            Unverified: nobody can tell.
        """
        inside, there = self._reached(instance)
        try:
            return inside.read(place(there))
        except WorkFailed as error:
            raise Unverified(error.message, hint=error.hint) from None

    def _reached(self, instance: str) -> tuple[Inside, Database]:
        return Inside(self.functions, self._needed()), self._found(instance)

    def _needed(self) -> str:
        """The function, without which nothing is sealed either."""
        if not self.function:
            raise Unverified(
                "nothing looks into the database: no function does one-shot work in its network",
                hint="OperationsHandler brings one, where the template has it; elsewhere let gymops.toml name"
                f' a database and a store for {self.seals.environment}, and method = "dump": docs/backups.md',
            )
        return self.function

    def _found(self, instance: str) -> Database:
        there = self.databases.find(instance)
        if there is None:
            raise Unverified(f"{instance} was deleted meanwhile", hint="run the same again")
        return there


def place(there: Database) -> dict[str, Any]:
    """Where an instance is, as the function takes it."""
    at: dict[str, Any] = {"host": there.host, "port": there.port}
    if there.secret:
        at["secret"] = there.secret
    return at
