"""Route 53's zones, CloudFront's aliases and ACM's certificates: what has a name in the world."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated

_GONE = frozenset({"NoSuchHostedZone", "NoSuchDistribution", "ResourceNotFoundException"})


@dataclass(frozen=True)
class Zone:
    """A hosted zone."""

    id: str
    name: str
    """Without the dot at its end."""
    servers: frozenset[str]
    """Its name servers; empty for a private zone."""


@dataclass(frozen=True)
class Holder:
    """A distribution that answers to a name."""

    distribution: str
    """Its id; AWS masks those of other accounts."""
    account: str
    alias: str


@dataclass(frozen=True)
class Record:
    """A record by which ACM knows that a domain is ours."""

    domain: str
    status: str
    name: str
    value: str


@dataclass(frozen=True)
class Certificate:
    """A certificate of ACM."""

    arn: str
    status: str
    reason: str
    names: tuple[str, ...]
    ends: datetime | None
    records: tuple[Record, ...]


class Domains:
    """Zones, aliases and certificates of an account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def zone(self, identifier: str) -> Zone | None:
        """A zone by its id; None if there is none in this account.

        Raises:
            AwsError: it may not be asked, or AWS does not answer.
        """
        try:
            with translated(f"the zone {identifier}"):
                found = self._client("route53").get_hosted_zone(Id=identifier)
        except AwsError as error:
            if error.reason in _GONE:
                return None
            raise
        servers = found.get("DelegationSet", {}).get("NameServers", ())
        name = found["HostedZone"]["Name"].rstrip(".").lower()
        return Zone(identifier, name, frozenset(one.rstrip(".").lower() for one in servers))

    def zone_of(self, domain: str) -> Zone | None:
        """The account's public zone that holds a name: the nearest above it; None if there is none.

        Raises:
            AwsError: as ``zone``.
        """
        name = domain.removeprefix("*.")
        while "." in name:
            with translated(f"the zone of {domain}"):
                found = self._client("route53").list_hosted_zones_by_name(DNSName=name, MaxItems="1")
            for one in found["HostedZones"]:
                if one["Name"].rstrip(".") == name and not one.get("Config", {}).get("PrivateZone"):
                    return self.zone(one["Id"].rpartition("/")[2])
            name = name.partition(".")[2]
        return None

    def distributions(self) -> list[Holder]:
        """Every alias of this account's distributions.

        Raises:
            AwsError: as ``zone``.
        """
        pages = self._client("cloudfront").get_paginator("list_distributions")
        with translated("the distributions"):
            return [
                Holder(one["Id"], "", alias)
                for page in pages.paginate()
                for one in page["DistributionList"].get("Items", ())
                for alias in one["Aliases"].get("Items", ())
            ]

    def conflicts(self, distribution: str, alias: str) -> list[Holder]:
        """Who else, in any account, holds a name that a distribution of ours is to have.

        Raises:
            AwsError: as ``zone``; or the distribution's certificate does not cover the name.
        """
        with translated(f"the alias {alias}"):
            found = self._client("cloudfront").list_conflicting_aliases(
                DistributionId=distribution, Alias=alias
            )
        rows = found["ConflictingAliasesList"].get("Items", ())
        return [Holder(one["DistributionId"], one["AccountId"], one["Alias"]) for one in rows]

    def certificate(self, arn: str) -> Certificate | None:
        """A certificate, in the region its ARN says; None if there is none.

        Raises:
            AwsError: as ``zone``.
        """
        try:
            with translated("the certificate"):
                found = self._client("acm", arn.split(":")[3]).describe_certificate(CertificateArn=arn)
        except AwsError as error:
            if error.reason in _GONE:
                return None
            raise
        told = found["Certificate"]
        return Certificate(
            arn,
            told["Status"],
            told.get("FailureReason", ""),
            tuple(dict.fromkeys([told["DomainName"], *told.get("SubjectAlternativeNames", ())])),
            told.get("NotAfter"),
            tuple(
                Record(one["DomainName"], one.get("ValidationStatus", ""), record["Name"], record["Value"])
                for one in told.get("DomainValidationOptions", ())
                if (record := one.get("ResourceRecord"))
            ),
        )

    def _client(self, service: str, region: str = "us-east-1") -> Any:
        return self._account.client(service, region, timeout=10.0, attempts=3)
