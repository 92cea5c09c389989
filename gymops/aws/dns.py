"""The names as the world sees them, by DNS itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gymops.aws.session import AwsError

_SECONDS = 5.0


class Resolver:
    """This machine's resolver, and the servers it leads to."""

    def servers(self, zone: str) -> frozenset[str]:
        """The name servers that the zone above names for it; empty if it names none.

        A server above is asked, and no resolver: that one would tell what the zone says of itself. Only where
        none of them is reached (a firewall that lets no DNS out) is the resolver believed.

        Raises:
            AwsError: nobody answers.
        """
        import dns.exception
        import dns.message
        import dns.query
        import dns.rdatatype
        import dns.resolver

        above = zone.partition(".")[2]
        asked = dns.message.make_query(zone, "NS")
        asked.flags = 0  # no recursion: what this server knows
        for address in self._addresses(above):
            try:
                answer = dns.query.udp_with_fallback(asked, address, timeout=_SECONDS)[0]
            except (dns.exception.DNSException, OSError):
                continue
            rows = [*answer.answer, *answer.authority]
            return _texts(
                row for one in rows if one.rdtype == dns.rdatatype.NS and _is(one, zone) for row in one
            )
        return _texts(self._ask(zone, "NS"))

    def aliases(self, name: str) -> frozenset[str]:
        """What a name is a CNAME of; empty if it is none.

        Raises:
            AwsError: nobody answers.
        """
        return _texts(self._ask(name, "CNAME"))

    def _addresses(self, zone: str) -> Iterator[str]:
        """Those of the first servers of the nearest zone at this name or above it."""
        while zone:
            servers = sorted(_texts(self._ask(zone, "NS")))
            if servers:
                for server in servers[:2]:
                    for row in self._ask(server, "A"):
                        yield str(row)
                return
            zone = zone.partition(".")[2]

    def _ask(self, name: str, kind: str) -> list[Any]:
        import dns.exception
        import dns.resolver

        try:
            return list(dns.resolver.resolve(name, kind, lifetime=_SECONDS))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise AwsError(
                f"DNS: no answer about {name}: {str(error).splitlines()[0]}",
                reason="Unresolved",
                hint=f"dig {kind} {name}; a zone whose servers do not know it is not answered for either",
                unknown=True,
            ) from None


def _is(rows: Any, zone: str) -> bool:
    return str(rows.name).rstrip(".").lower() == zone.lower()


def _texts(rows: Any) -> frozenset[str]:
    return frozenset(str(row).rstrip(".").lower() for row in rows)
