"""The app's names: their zones, who the world asks about them, who holds them, and their certificate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from gymops.aws.domains import Certificate, Zone
from gymops.deploy.doctor.findings import Finding, failed, fix, ok, skipped, untold, warning
from gymops.deploy.doctor.inventory import FromStack, Made, texts
from gymops.deploy.doctor.port import Patient
from gymops.errors import GymopsError

_CERTIFICATE = "AWS::CertificateManager::Certificate"
_DISTRIBUTION = "AWS::CloudFront::Distribution"
_RECORD = "AWS::Route53::RecordSet"
_SOON = timedelta(days=30)
"""ACM renews 60 days before the end; by then it has failed for a month."""
_LOCAL = "on the local AWS no name leads anywhere"


def zones(patient: Patient, made: Sequence[Made]) -> Iterator[Finding]:
    """Each name's zone is there, holds the name, and is the one that the zone above names."""
    if patient.deployment.local:
        yield skipped(_LOCAL)
        return
    wanted = _zones(made)
    if not wanted:
        yield ok("the templates have no domain")
    seen = dict[str, Zone | None]()
    for domain, identifier in wanted.items():
        try:
            zone = patient.domains.zone(identifier) if identifier else patient.domains.zone_of(domain)
        except GymopsError as error:
            yield untold(f"{domain}: {error.message}", fix(error))
            continue
        if zone is None and identifier:
            yield failed(
                f"{domain}: there is no hosted zone {identifier} in this account",
                f"aws route53 list-hosted-zones; put the right one into"
                f" [environments.{patient.deployment.name}.parameters] of gymops.toml",
            )
        elif zone is None:
            yield warning(
                f"{domain}: no hosted zone is named, and this account has none for it",
                "whoever keeps the zone makes the records; gymops deploy shows the certificate's, and waits",
            )
        elif not (domain == zone.name or domain.endswith(f".{zone.name}")):
            yield failed(
                f"{domain} is not in the zone {zone.id}, which is {zone.name}", "name its own zone's id"
            )
        else:
            if not identifier:
                yield warning(
                    f"{domain}: this account's zone {zone.id} holds it, and no parameter says so",
                    f"give {zone.id} as its zone's id in [environments.{patient.deployment.name}.parameters]"
                    " of gymops.toml, or make its records by hand",
                )
            seen[zone.id] = zone
    for one in seen.values():
        if one is not None:
            yield from _delegated(patient, one)


def _delegated(patient: Patient, zone: Zone) -> Iterator[Finding]:
    servers = " ".join(sorted(zone.servers))
    at = f"at the registrar of {zone.name} (or in the zone above it) set the name servers {servers}"
    if not zone.servers:
        yield failed(f"the zone {zone.id} ({zone.name}) is private", "name the public zone's id")
        return
    try:
        named = patient.resolver.servers(zone.name)
    except GymopsError as error:
        yield untold(f"{zone.name}: {error.message}", fix(error))
        return
    if not named:
        yield failed(f"{zone.name}: the zone above names no servers for it", at)
    elif not named & zone.servers:
        yield failed(
            f"{zone.name}: the world asks {' '.join(sorted(named))}, and not zone {zone.id}; no certificate"
            " is validated so",
            at,
        )
    elif named != zone.servers:
        other, missing = named - zone.servers, zone.servers - named
        told = [
            *(f"{one} is another's" for one in sorted(other)),
            *(f"{one} is missing" for one in sorted(missing)),
        ]
        yield (failed if other else warning)(f"{zone.name}: of its name servers {', '.join(told)}", at)
    else:
        yield ok(f"{zone.name}: the world asks the zone {zone.id}")


def aliases(patient: Patient, made: Sequence[Made]) -> Iterator[Finding]:
    """No other distribution answers to a name: CloudFront gives each to one only.

    Raises:
        AwsError: CloudFront does not tell its distributions.
    """
    if patient.deployment.local:
        yield skipped(_LOCAL)
        return
    wanted = [(one, alias) for one in made if one.kind == _DISTRIBUTION for alias in _aliases(one)]
    if not wanted:
        yield ok("no distribution has a name of its own")
        return
    present = patient.domains.distributions()
    taken, blind = False, list[str]()
    for one, alias in wanted:
        ours = _physical(patient, one)
        for holder in present:
            if holder.alias == alias and holder.distribution != ours:
                taken = True
                yield failed(
                    f"{alias} is an alias of the distribution {holder.distribution} in this account",
                    f"take it from there (aws cloudfront get-distribution-config --id {holder.distribution},"
                    " then update-distribution without it); its users reach nothing until the deploy is done",
                )
        if ours is None:
            blind.append(alias)
            continue
        try:
            others = patient.domains.conflicts(ours, alias)
        except GymopsError as error:
            taken = True
            yield untold(f"{alias}: who else holds it: {error.message}", fix(error))
            continue
        for holder in others:
            if holder.distribution == ours or any(
                holder.distribution == held.distribution for held in present
            ):
                continue
            taken = True
            yield (failed if holder.alias == alias else warning)(
                f"{alias}: {holder.alias} is held by the distribution {holder.distribution} of account"
                f" {holder.account}",
                f"with a TXT record _{alias} = the distribution's own name:"
                f" aws cloudfront associate-alias --target-distribution-id {ours} --alias {alias}",
            )
    if not taken:
        unseen = " (other accounts are seen once the distribution is there)" if blind else ""
        yield ok(f"nobody else holds {', '.join(alias for _, alias in wanted)}{unseen}")


def certificates(patient: Patient, made: Sequence[Made]) -> Iterator[Finding]:
    """The certificate is where CloudFront takes it from, issued, covers the names, and will be renewed.

    Raises:
        AwsError: ACM cannot be asked.
    """
    if patient.deployment.local:
        yield skipped("on the local AWS a certificate is valid at once")
        return
    names = [alias for one in made if one.kind == _DISTRIBUTION for alias in _aliases(one)]
    arns = dict[str, list[str]]()
    for one in made:
        if one.kind == _CERTIFICATE:
            there = _physical(patient, one)
            if there is None:
                yield ok(
                    f"the stack {one.stack} makes it for {', '.join(_certified(one))}, and waits for DNS"
                )
            else:
                arns[there] = names
        elif one.kind == _DISTRIBUTION and (given := _given(one)):
            arns[given] = _aliases(one)
            if given.split(":")[3:4] != ["us-east-1"]:
                yield failed(
                    f"{given} is not in us-east-1, and CloudFront takes one from there only",
                    "aws acm request-certificate --region us-east-1 --validation-method DNS --domain-name"
                    f" {(_aliases(one) or ['NAME'])[0]}; then give its ARN",
                )
    if not arns and not any(one.kind == _CERTIFICATE for one in made):
        yield ok("the templates use none")
    for arn, covered in arns.items():
        found = patient.domains.certificate(arn)
        if found is None:
            yield failed(f"there is no certificate {arn}", "aws acm list-certificates --region us-east-1")
        else:
            yield from _certificate(patient, found, covered)


def _certificate(patient: Patient, one: Certificate, names: Sequence[str]) -> Iterator[Finding]:
    waiting = [record for record in one.records if record.status != "SUCCESS"]
    if one.status != "ISSUED":
        records = "; ".join(f"{record.name} CNAME {record.value}" for record in waiting)
        yield failed(
            f"{one.arn} is {one.status}" + (f": {one.reason}" if one.reason else ""),
            f"make in DNS: {records}" if records else "request another: aws acm request-certificate",
        )
    if missing := [name for name in names if not any(_covers(other, name) for other in one.names)]:
        yield failed(
            f"{one.arn} does not cover {', '.join(missing)}",
            "request one for all names: a certificate is never changed, only replaced",
        )
    left = one.ends - patient.clock.now() if one.ends else None
    if left is not None and left < timedelta(0):
        yield failed(
            f"{one.arn} ended on {one.ends:%Y-%m-%d}", "make its validation record, or request another"
        )
    elif left is not None and left < _SOON:
        yield warning(
            f"{one.arn} ends on {one.ends:%Y-%m-%d}, and ACM could not renew it",
            "make its validation records in DNS; ACM tries again by itself",
        )
    lost = list(_recorded(patient, one))
    yield from lost
    if one.status == "ISSUED" and not missing and not lost and (left is None or left >= _SOON):
        yield ok(f"issued for {', '.join(one.names)}" + (f", until {one.ends:%Y-%m-%d}" if one.ends else ""))


def _recorded(patient: Patient, one: Certificate) -> Iterator[Finding]:
    """The records by which it is renewed, as far as they are not in DNS."""
    for record in one.records:
        try:
            seen = patient.resolver.aliases(record.name.rstrip("."))
        except GymopsError as error:
            yield untold(f"the record of {record.domain}: {error.message}", fix(error))
            continue
        if record.value.rstrip(".").lower() not in seen:
            yield warning(
                f"{record.domain}: its validation record is not in DNS, so that the certificate is not"
                " validated or renewed",
                f"make {record.name} CNAME {record.value}",
            )


def _zones(made: Sequence[Made]) -> dict[str, str]:
    """Name -> the id of its zone as the templates have it; empty where they name none."""
    found = dict[str, str]()
    for one in made:
        if one.kind == _DISTRIBUTION:
            found |= {name: found.get(name, "") for name in _aliases(one)}
        elif one.kind == _CERTIFICATE:
            found |= {name: found.get(name, "") for name in _certified(one)}
            for option in one.properties.get("DomainValidationOptions") or ():
                if isinstance(option, dict) and isinstance(option.get("HostedZoneId"), str):
                    found[str(option.get("DomainName"))] = option["HostedZoneId"]
        elif one.kind == _RECORD:
            zone, name = one.properties.get("HostedZoneId"), one.properties.get("Name")
            if isinstance(zone, str) and isinstance(name, str) and not isinstance(zone, FromStack):
                found[name.rstrip(".")] = zone
    return found


def _aliases(one: Made) -> list[str]:
    config = one.properties.get("DistributionConfig")
    return texts(config.get("Aliases")) if isinstance(config, dict) else []


def _certified(one: Made) -> list[str]:
    names = [one.properties.get("DomainName"), *texts(one.properties.get("SubjectAlternativeNames"))]
    return [name for name in names if isinstance(name, str)]


def _given(one: Made) -> str:
    """The ARN of a certificate that no stack here makes."""
    config = one.properties.get("DistributionConfig")
    viewer = config.get("ViewerCertificate") if isinstance(config, dict) else None
    arn = viewer.get("AcmCertificateArn") if isinstance(viewer, dict) else None
    return arn if isinstance(arn, str) and not isinstance(arn, FromStack) and arn.startswith("arn:") else ""


def _physical(patient: Patient, one: Made) -> str | None:
    """What a resource is called; None before it is there."""
    reader = patient.reader(one.region)
    if reader.stack(one.stack) is None:
        return None
    there = (each for each in reader.resources(one.stack) if each.name == one.name and each.live)
    return next((each.physical for each in there if each.physical), None)


def _covers(pattern: str, name: str) -> bool:
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:] or name == pattern
    return pattern == name
