"""The world's view of names, against a DNS server of the test's own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import dns.message
import dns.query
import dns.resolver
import dns.rrset
import pytest

from gymops.aws.dns import Resolver
from gymops.aws.session import AwsError

RECORDS = {
    ("com.", "NS"): ["a.gtld.com."],
    ("a.gtld.com.", "A"): ["127.0.0.1"],
    ("www.titantrakr.com.", "CNAME"): ["d1.cloudfront.net."],
    ("titantrakr.com.", "NS"): ["says.itself.com."],
}
REFERRALS = {"titantrakr.com.": ["NS-1.awsdns-01.com.", "ns-2.awsdns-02.net."]}


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """A server that is at once the world's resolver and that of the zone above."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        port = server.getsockname()[1]
        ours = dns.resolver.Resolver(configure=False)
        ours.nameservers, ours.port = ["127.0.0.1"], port
        monkeypatch.setattr(dns.resolver, "default_resolver", ours)
        ask = dns.query.udp_with_fallback
        monkeypatch.setattr(
            dns.query,
            "udp_with_fallback",
            lambda q, where, timeout: ask(q, where, timeout=timeout, port=port),
        )
        yield Resolver()


def _serve(server: socket.socket) -> None:
    while True:
        try:
            data, whom = server.recvfrom(4096)
        except OSError:
            return  # the test is over
        asked = dns.message.from_wire(data)
        question = asked.question[0]
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        answer = dns.message.make_response(asked)
        recursive = bool(asked.flags & dns.flags.RD)
        if recursive and (found := RECORDS.get((name, kind))):
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *found))
        elif not recursive and name in REFERRALS:
            answer.authority.append(dns.rrset.from_text(name, 60, "IN", "NS", *REFERRALS[name]))
        elif not any(one == name for one, _ in RECORDS):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        server.sendto(answer.to_wire(), whom)


def test_the_zone_above_is_believed_and_not_what_a_zone_says_of_itself(resolver: Resolver) -> None:
    assert resolver.servers("titantrakr.com") == {"ns-1.awsdns-01.com", "ns-2.awsdns-02.net"}


def test_a_zone_that_nobody_names(resolver: Resolver) -> None:
    assert resolver.servers("traktitan.com") == frozenset()


def test_where_no_server_above_is_reached_the_resolver_is_believed(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(dns.query, "udp_with_fallback", unreachable)
    assert resolver.servers("titantrakr.com") == {"says.itself.com"}


def test_what_a_name_is_an_alias_of(resolver: Resolver) -> None:
    assert resolver.aliases("www.titantrakr.com") == {"d1.cloudfront.net"}
    assert resolver.aliases("nobody.titantrakr.com") == frozenset()


def test_no_answer_is_no_answer(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = dns.resolver.Resolver(configure=False)
    silent.nameservers, silent.port = ["127.0.0.1"], 9
    monkeypatch.setattr(dns.resolver, "default_resolver", silent)
    monkeypatch.setattr("gymops.aws.dns._SECONDS", 0.3)
    with pytest.raises(AwsError, match=r"DNS: no answer about com") as failed:
        resolver.servers("titantrakr.com")
    assert failed.value.unknown
