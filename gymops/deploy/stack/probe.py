"""A look at the failed resource itself: CloudFormation's reason is often only that something is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from gymops.deploy.stack.events import Diagnosis, Failure
from gymops.errors import GymopsError

_MOST = 12
"""Lines of one probe that are shown."""


class Functions(Protocol):
    """Lambda functions."""

    def state(self, name: str) -> str:
        """Its state with the reason, as ``Failed: ImageDeleted: ...``; empty when it is active."""
        ...

    def log(self, name: str, since: datetime) -> Iterable[str]:
        """The last lines its start wrote."""
        ...


class Certificates(Protocol):
    """ACM certificates."""

    def validations(self, arn: str) -> Iterable[str]:
        """For each domain that is not validated, the record it waits for."""
        ...


class Databases(Protocol):
    """RDS instances and clusters."""

    def events(self, identifier: str, since: datetime, *, cluster: bool) -> Iterable[str]:
        """What happened to it."""
        ...


class Tasks(Protocol):
    """ECS tasks."""

    def stopped(self, service: str) -> Iterable[str]:
        """Why the last tasks of a service (its ARN) stopped."""
        ...


@dataclass(frozen=True)
class Probes:
    """What can be looked at; what is None is not."""

    functions: Functions | None = None
    certificates: Certificates | None = None
    databases: Databases | None = None
    tasks: Tasks | None = None

    def look(self, diagnosis: Diagnosis) -> Diagnosis:
        """The diagnosis with what was found; a probe that fails says so, and the cause stays."""
        cause = diagnosis.cause
        if not cause.physical:
            return diagnosis
        try:
            found = tuple(self._findings(cause))[:_MOST]
        except GymopsError as error:
            found = (f"looking at {cause.path} failed as well: {error.message}",)
        except Exception as error:  # noqa: BLE001 - whatever it is, the cause is what counts
            found = (f"looking at {cause.path} failed as well: {type(error).__name__}",)
        return replace(diagnosis, findings=found)

    def pending(self, certificate: str) -> tuple[str, ...]:
        """The records a certificate waits for; none if that cannot be told."""
        if self.certificates is None or not certificate.startswith("arn:"):
            return ()
        try:
            return tuple(self.certificates.validations(certificate))
        except Exception:  # noqa: BLE001 - a help while waiting, and no reason to stop
            return ()

    def _findings(self, cause: Failure) -> Iterable[str]:
        look: Callable[[Probes, Failure], Iterable[str]] | None = _BY_KIND.get(cause.kind)
        return look(self, cause) if look else ()


def _function(probes: Probes, cause: Failure) -> Iterable[str]:
    if probes.functions is None:
        return
    if state := probes.functions.state(cause.physical):
        yield f"state: {state}"
    yield from (f"log: {line}" for line in probes.functions.log(cause.physical, cause.at))


def _certificate(probes: Probes, cause: Failure) -> Iterable[str]:
    return probes.certificates.validations(cause.physical) if probes.certificates else ()


def _database(probes: Probes, cause: Failure) -> Iterable[str]:
    if probes.databases is None:
        return ()
    return probes.databases.events(cause.physical, cause.at, cluster=cause.kind.endswith("Cluster"))


def _service(probes: Probes, cause: Failure) -> Iterable[str]:
    return probes.tasks.stopped(cause.physical) if probes.tasks else ()


_BY_KIND: dict[str, Callable[[Probes, Failure], Iterable[str]]] = {
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Version": _function,
    "AWS::Lambda::Alias": _function,
    "AWS::CertificateManager::Certificate": _certificate,
    "AWS::RDS::DBInstance": _database,
    "AWS::RDS::DBCluster": _database,
    "AWS::ECS::Service": _service,
}
