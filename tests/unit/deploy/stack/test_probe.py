"""A look at the failed resource itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from gymops.deploy.stack.events import Diagnosis, Failure
from gymops.deploy.stack.probe import Probes
from tests.unit.deploy.stack.fakes import START


class Everything:
    """Every probe in one, with something to say."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def state(self, name: str) -> str:
        self.asked.append((name,))
        return "Failed: ImageDeleted"

    def log(self, name: str, since: datetime) -> Iterator[str]:
        yield from (f"line {number}" for number in range(40))

    def validations(self, arn: str) -> list[str]:
        return [f"record of {arn}"]

    def events(self, identifier: str, since: datetime, *, cluster: bool) -> list[str]:
        return [f"{identifier} {cluster}"]

    def stopped(self, service: str) -> list[str]:
        return [f"stopped in {service}"]


def look(kind: str, physical: str = "it", probes: Probes | None = None) -> tuple[str, ...]:
    one = Everything()
    cause = Failure("Thing", kind, "CREATE_FAILED", "no", START, physical)
    return (probes or Probes(one, one, one, one)).look(Diagnosis(cause, "do it")).findings


def test_each_type_is_looked_at_in_its_own_way() -> None:
    function = look("AWS::Lambda::Function")
    assert function[:2] == ("state: Failed: ImageDeleted", "log: line 0")
    assert len(function) == 12
    assert look("AWS::Lambda::Version") == function
    assert look("AWS::CertificateManager::Certificate") == ("record of it",)
    assert look("AWS::RDS::DBInstance") == ("it False",)
    assert look("AWS::RDS::DBCluster") == ("it True",)
    assert look("AWS::ECS::Service") == ("stopped in it",)
    assert look("AWS::SQS::Queue") == ()


def test_what_was_never_made_cannot_be_looked_at() -> None:
    assert look("AWS::Lambda::Function", physical="") == ()


def test_without_probes_there_are_no_findings() -> None:
    for kind in ("AWS::Lambda::Function", "AWS::CertificateManager::Certificate", "AWS::RDS::DBInstance",
                 "AWS::ECS::Service"):  # fmt: skip
        assert look(kind, probes=Probes()) == ()
    assert Probes().pending("arn:x") == ()


def test_a_probe_that_breaks_in_any_way_is_only_a_finding() -> None:
    class Broken(Everything):
        def state(self, name: str) -> str:
            raise KeyError("no such key")

        def validations(self, arn: str) -> list[str]:
            raise RuntimeError

    (found,) = look("AWS::Lambda::Function", probes=Probes(functions=Broken()))
    assert found == "looking at Thing failed as well: KeyError"
    assert Probes(certificates=Broken()).pending("arn:x") == ()
