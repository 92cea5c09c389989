"""An account in which nothing is wrong, of which a test breaks what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gymops.aws.domains import Certificate, Holder, Record, Zone
from gymops.aws.engines import Engine
from gymops.aws.identity import Caller
from gymops.aws.quotas import Usage
from gymops.aws.stack import Event, Stack, StackResource
from gymops.config import Environment, Settings
from gymops.deploy.doctor import Examination, Patient, checks
from gymops.deploy.doctor.findings import Finding, Verdict, examine
from gymops.deploy.doctor.inventory import Made, inventory
from gymops.deploy.environment import Deployment, resolve
from tests.contract.objects import MemoryObjects
from tests.unit.clocks import START, FakeClock

ACCOUNT = "333333333333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci/deployer"
SERVERS = frozenset({"ns-1.awsdns-01.com", "ns-2.awsdns-02.net"})
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/1"
NAMES = ("titantrakr.com", "www.titantrakr.com", "traktitan.com", "tritontracker.com")
ZONES = {"Z1": "titantrakr.com", "Z2": "traktitan.com", "Z3": "tritontracker.com"}
PARAMETERS = {"DomainZoneId": "Z1", "SecondDomainZoneId": "Z2", "ThirdDomainZoneId": "Z3"}
RUNTIME = "python3.12"
_READ: dict[str, tuple[Deployment, list[Made]]] = {}


@dataclass
class Account:
    """Everything the doctor asks; before the first deploy unless stacks are put in."""

    name: str = "prod"
    own: Environment = field(
        default_factory=lambda: Environment(profile="prod", account=ACCOUNT, parameters=PARAMETERS)
    )
    template: Path | None = None

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/mara"
        self.number = ACCOUNT
        self.expires: datetime | None = None
        self.off = timedelta(0)
        """How far AWS's clock is ahead."""
        self.forbidden: set[str] = set()
        """Actions denied on whatever resource."""
        self.scoped: set[str] = set()
        """Actions allowed on named resources only."""
        self.asked: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
        self.roles = {"deployer": ROLE}
        self.linked = True
        self.used: dict[str, Usage] = {}
        self.lambdas = Usage(0, 1000, "lambda L-B99A9384")
        self.zones = {one: Zone(one, name, SERVERS) for one, name in ZONES.items()}
        self.named: dict[str, frozenset[str]] = dict.fromkeys(ZONES.values(), SERVERS)
        self.held: list[Holder] = []
        self.foreign: list[Holder] = []
        self.certificates: dict[str, Certificate] = {}
        self.cnames: dict[str, str] = {}
        self.engines: dict[tuple[str, str], Engine] = {
            ("postgres", "17"): Engine("17.6", "available", START + timedelta(days=900))
        }
        self.stacks: dict[str, list[StackResource]] = {}
        self.states: dict[str, str] = {}
        self.store = MemoryObjects(self.clock)
        self.broken: dict[str, Exception] = {}
        """Method -> what it raises."""

    def deployment(self) -> Deployment:
        return self._read()[0]

    def _read(self) -> tuple[Deployment, list[Made]]:
        """Templates are read once for all tests: that is what takes long."""
        key = repr((self.name, self.template, self.own))
        if key not in _READ:
            architecture = str(self.template or "titan-trakr")
            settings = Settings(architecture=architecture, environments={self.name: self.own})
            deployment = resolve(settings, self.name)
            _READ[key] = deployment, inventory(deployment, {"Runtime": RUNTIME})
        return _READ[key]

    def patient(self) -> Patient:
        this: Any = _Answers(self)
        return Patient(
            deployment=self.deployment(),
            clock=self.clock,
            runtime=RUNTIME,
            reader=lambda _: this,
            objects=lambda _: self.store,
            identity=this,
            iam=this,
            quotas=this,
            domains=this,
            engines=lambda _: this,
            resolver=this,
        )

    def look(self) -> Examination:
        patient = self.patient()
        return examine(patient.deployment.name, checks(patient, self._read()[1]))

    def of(self, check: str) -> list[Finding]:
        patient = self.patient()
        only = [one for one in checks(patient, self._read()[1]) if one.name == check]
        return list(examine(patient.deployment.name, only).findings)

    def worst(self, check: str) -> Finding:
        """What a check found that is not ok; it must be one thing."""
        (found,) = (one for one in self.of(check) if one.verdict is not Verdict.OK)
        return found

    def certificate(self, **changed: Any) -> None:
        """The certificate's stack is there, and this is in it."""
        records = tuple(Record(name, "SUCCESS", f"_x.{name}.", "_y.acm-validations.aws.") for name in NAMES)
        given = {
            "arn": CERTIFICATE, "status": "ISSUED", "reason": "", "names": NAMES,
            "ends": START + timedelta(days=300), "records": records, **changed,
        }  # fmt: skip
        self.certificates[CERTIFICATE] = Certificate(**given)
        self.cnames = {f"_x.{name}": "_y.acm-validations.aws" for name in NAMES}
        self.stacks["prod-gym-app-certificate"] = [
            StackResource(
                "Certificate", "AWS::CertificateManager::Certificate", CERTIFICATE, "CREATE_COMPLETE"
            )
        ]


@dataclass
class _Answers:
    """Each of the doctor's ports."""

    world: Account

    def __getattribute__(self, name: str) -> Any:
        world = object.__getattribute__(self, "world")
        if name in world.broken:
            raise world.broken[name]
        return object.__getattribute__(self, name)

    def caller(self) -> Caller:
        world = self.world
        return Caller(world.number, world.arn, world.expires, temporary=True, renewed=False)

    def now(self) -> datetime:
        return (self.world.clock.now() + self.world.off).replace(microsecond=0)

    def stack(self, name: str) -> Stack | None:
        if name not in self.world.stacks:
            return None
        status = self.world.states.get(name, "CREATE_COMPLETE")
        outputs = {"ReleaseBucketName": "releases"} if name.endswith("base") else {}
        return Stack(name, name, status, outputs=outputs)

    def resources(self, name: str) -> list[StackResource]:
        return self.world.stacks[name]

    def events(self, name: str) -> list[Event]:
        return []

    def role(self, name: str) -> str | None:
        if name.startswith("AWSServiceRoleFor"):
            return f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{name}" if self.world.linked else None
        return self.world.roles.get(name)

    def denied(
        self, principal: str, actions: Sequence[str], resources: Sequence[str], context: Mapping[str, str]
    ) -> list[str]:
        self.world.asked.append((principal, tuple(actions), tuple(resources)))
        no = self.world.forbidden | (self.world.scoped if list(resources) == ["*"] else set())
        return [one for one in actions if one in no]

    def kinds(self) -> frozenset[str]:
        return frozenset({"AWS::EC2::VPC", "AWS::RDS::DBInstance", "AWS::CloudFormation::Stack"})

    def usage(self, kind: str, region: str) -> Usage:
        return self.world.used.get(kind, Usage(0, 100, "x L-1"))

    def concurrency(self, region: str) -> Usage:
        return self.world.lambdas

    def zone(self, identifier: str) -> Zone | None:
        return self.world.zones.get(identifier)

    def zone_of(self, domain: str) -> Zone | None:
        return next((one for one in self.world.zones.values() if domain.endswith(one.name)), None)

    def distributions(self) -> list[Holder]:
        return self.world.held

    def conflicts(self, distribution: str, alias: str) -> list[Holder]:
        return [one for one in self.world.foreign if one.alias == alias]

    def certificate(self, arn: str) -> Certificate | None:
        return self.world.certificates.get(arn)

    def engine(self, name: str, version: str) -> Engine | None:
        return self.world.engines.get((name, version))

    def servers(self, zone: str) -> frozenset[str]:
        return self.world.named.get(zone, frozenset())

    def aliases(self, name: str) -> frozenset[str]:
        return frozenset({self.world.cnames[name]} if name in self.world.cnames else ())
