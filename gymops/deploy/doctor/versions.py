"""Whether AWS still takes what is released: the functions' runtime, the database's version; and of gymops."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from gymops import __version__
from gymops.deploy.doctor.findings import Finding, failed, fix, ok, untold, warning
from gymops.deploy.doctor.inventory import Made
from gymops.deploy.doctor.port import Patient
from gymops.deploy.release.ledger import Ledger, last_good
from gymops.deploy.release.records import RecordError
from gymops.errors import GymopsError

_SOON = timedelta(days=180)


def versions(patient: Patient, made: Sequence[Made]) -> Iterator[Finding]:
    """Runtime, database, gymops, Python; one that cannot be told hides no other.

    Raises:
        GymopsError: the ledger cannot be read.
    """
    yield ok(f"gymops {__version__} on Python {sys.version.split()[0]}")
    today = patient.clock.now()
    yield from _runtimes(made, today.date())
    if not patient.deployment.local:  # there every instance is of one version, whatever is asked for
        yield from _databases(patient, made, today)
    yield from _ledger(patient)


def _runtimes(made: Sequence[Made], today: date) -> Iterator[Finding]:
    found = {one.properties.get("Runtime") for one in made if one.kind == "AWS::Lambda::Function"}
    lives = lifecycles()
    for runtime in sorted(one for one in found if isinstance(one, str)):
        life = lives.get(runtime)
        newer = (life or {}).get("successor") or "a later one"
        change = f"build for {newer}: `python` in [app] of gymops.toml, or Runtime in the template"
        ends = {name: _day((life or {}).get(name)) for name in ("deprecated", "create-block", "update-block")}
        if life is None:
            yield untold(
                f"nobody here knows the Lambda runtime {runtime}",
                "check its name; pip install --upgrade cfn-lint",
            )
        elif (blocked := ends["update-block"] or ends["create-block"]) and blocked <= today:
            yield failed(f"Lambda takes no {runtime} since {blocked}", change)
        elif (ended := ends["deprecated"]) and ended <= today:
            until = f", and is refused from {ends['create-block']} on" if ends["create-block"] else ""
            yield warning(f"{runtime} gets no fixes since {ended}{until}", change)
        elif ended and ended - today < _SOON:
            yield warning(f"{runtime} gets no fixes from {ended} on", change)
        else:
            yield ok(f"{runtime}" + (f", until {ended}" if ended else ""))


def _databases(patient: Patient, made: Sequence[Made], today: datetime) -> Iterator[Finding]:
    kinds = {"AWS::RDS::DBInstance", "AWS::RDS::DBCluster"}
    wanted = {
        (str(one.properties.get("Engine")), str(version), one.region)
        for one in made
        if one.kind in kinds and isinstance(version := one.properties.get("EngineVersion"), str | int | float)
    }
    for engine, version, region in sorted(wanted):
        try:
            found = patient.engines(region).engine(engine, version)
        except GymopsError as error:
            yield untold(f"{engine} {version}: {error.message}", fix(error))
            continue
        offered = f"aws rds describe-db-engine-versions --engine {engine} --region {region}"
        if found is None:
            yield failed(f"RDS has no {engine} {version} in {region}", f"{offered} lists what there is")
        elif found.status != "available":
            yield failed(
                f"RDS makes no new {engine} {version}: it is {found.status}", f"choose another: {offered}"
            )
        elif found.ends and found.ends - today < _SOON:
            yield warning(
                f"the standard support of {engine} {version} ends on {found.ends:%Y-%m-%d}; then"
                " it is charged extra",
                "plan the upgrade to the next major version",
            )
        else:
            yield ok(f"{engine} {version}" + (f", until {found.ends:%Y-%m-%d}" if found.ends else ""))


def _ledger(patient: Patient) -> Iterator[Finding]:
    """Records say of which form they are: one of a later gymops is not for this one to go on with."""
    base = patient.deployment.architecture.stack("base")
    stack = patient.reader(patient.deployment.region_of(base)).stack(patient.deployment.stack_name(base))
    bucket = stack.outputs.get("ReleaseBucketName") if stack else None
    if bucket is None:
        yield ok("nothing was released yet")
        return
    try:
        releases = Ledger(patient.objects(bucket), patient.deployment.name).releases()
    except RecordError as error:
        yield failed(error.message, error.hint or "pip install --upgrade gymops")
        return
    ran = last_good(releases)
    yield ok(f"release {ran.number} runs, and this gymops reads its record" if ran else "nothing runs")


def lifecycles() -> Mapping[str, Mapping[str, Any]]:
    """When each Lambda runtime ends, as cfn-lint knows it."""
    from cfnlint.data import AdditionalSpecs
    from cfnlint.helpers import load_resource

    found: Mapping[str, Mapping[str, Any]] = load_resource(AdditionalSpecs, "LmbdRuntimeLifecycle.json")
    return found


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
