"""Whether there is room for what the templates make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from gymops.aws.quotas import Usage
from gymops.deploy.doctor.findings import Finding, failed, fix, ok, skipped, untold, warning
from gymops.deploy.doctor.inventory import Made
from gymops.deploy.doctor.port import Patient
from gymops.errors import GymopsError

_FUNCTION = "AWS::Lambda::Function"
_STACK = "AWS::CloudFormation::Stack"
_UNRESERVED = 100
"""So many at once Lambda keeps for the functions that reserve none."""
_FEW = 50
"""A new account has 10 at once; the usual limit is 1,000."""


def quotas(patient: Patient, made: Sequence[Made]) -> Iterator[Finding]:
    """For each quota: what there is and what will come, against the limit; a quota that cannot be read hides
    no other.

    Raises:
        AwsError: the stacks cannot be read.
    """
    if patient.deployment.local:
        yield skipped("the local AWS has no quotas")
        return
    there = _there(patient, made)
    wanted = Counter((one.kind, one.region) for one in made)
    wanted.update(
        (_STACK, region) for stack, region in {(one.stack, one.region) for one in made}
        if (stack, region) not in {(name, where) for name, where, _ in there}
    )  # fmt: skip
    present = Counter((kind, region) for _, region, kinds in there for kind in kinds)
    rooms, known = list[str](), patient.quotas.kinds()
    for key, count in sorted(wanted.items()):
        kind, region = key
        if kind not in known:
            continue
        try:
            usage = patient.quotas.usage(kind, region)
        except GymopsError as error:
            yield untold(f"{_name(kind)} in {region}: {error.message}", fix(error))
            continue
        more = max(0, count - present[key])
        if usage.used + more > usage.limit:
            yield failed(
                f"{_name(kind)} in {region}: {usage.used} there, {more} to come, {usage.limit} allowed",
                _raise(usage, region, usage.used + more),
            )
        else:
            rooms.append(f"{_name(kind)} {usage.used}+{more} of {usage.limit}")
    yield from _concurrency(patient, made, there)
    if rooms:
        yield ok(", ".join(rooms))


def _concurrency(
    patient: Patient, made: Sequence[Made], there: Sequence[tuple[str, str, Sequence[str]]]
) -> Iterator[Finding]:
    """What functions reserve comes out of what the account has; a new account has next to nothing."""
    functions = [one for one in made if one.kind == _FUNCTION]
    deployed = {name for name, _, kinds in there if _FUNCTION in kinds}
    for region in sorted({one.region for one in functions}):
        try:
            usage = patient.quotas.concurrency(region)
        except GymopsError as error:
            yield untold(f"Lambda functions at once in {region}: {error.message}", fix(error))
            continue
        reserved = sum(
            _number(one.properties) for one in functions if one.region == region and one.stack not in deployed
        )
        if reserved and usage.used + reserved > usage.limit - _UNRESERVED:
            yield failed(
                f"Lambda functions at once in {region}: the templates reserve {reserved}, {usage.used} of"
                f" {usage.limit} are reserved, and {_UNRESERVED} must stay free",
                _raise(usage, region, max(1000, usage.used + reserved + _UNRESERVED)),
            )
        elif usage.limit < _FEW:
            yield warning(
                f"Lambda functions at once in {region}: {usage.limit}, as a new account has; more at once"
                " are refused (429)",
                _raise(usage, region, 1000),
            )
        else:
            yield ok(
                f"Lambda functions at once {usage.used}+{reserved} of {usage.limit} reserved in {region}"
            )


def _there(patient: Patient, made: Sequence[Made]) -> list[tuple[str, str, list[str]]]:
    """The stacks that are there already: name, region, the types of their resources."""
    found = []
    for name, region in sorted({(one.stack, one.region) for one in made}):
        reader = patient.reader(region)
        if reader.stack(name) is not None:
            found.append((name, region, [one.kind for one in reader.resources(name) if one.live]))
    return found


def _raise(usage: Usage, region: str, value: int) -> str:
    service, _, code = usage.code.partition(" ")
    return (
        "delete what is not used, or: aws service-quotas request-service-quota-increase"
        f" --service-code {service} --quota-code {code} --desired-value {value} --region {region}"
    )


def _number(properties: Mapping[str, object]) -> int:
    found = properties.get("ReservedConcurrentExecutions", 0)
    return int(found) if isinstance(found, int | str) and str(found).isdecimal() else 0


def _name(kind: str) -> str:
    return " ".join(kind.split("::")[1:])
