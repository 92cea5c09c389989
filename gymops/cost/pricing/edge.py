"""What answers the internet: CloudFront, WAF, Route 53, API Gateway, Cognito."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gymops.cost.book import HOURS, Book, count
from gymops.cost.inventory import Inventory, Item

_FREE_RUNS = 2_000_000
_BOTS = "AWSManagedRulesBotControlRuleSet"


def distributions(book: Book, there: Inventory) -> None:
    """What goes out, and requests; at the prices of the USA and Europe, whose first 10 TB cost the most."""
    items = there.of("AWS::CloudFront::Distribution")
    if items:
        out, requests = book.used("transfer_gb"), book.used("requests")
        book.charge("CloudFront", f"{out} GB out", "cloudfront/transfer", out, items)
        book.charge("CloudFront", f"{requests:,.0f} requests", "cloudfront/requests", requests, items)
    for function in there.of("AWS::CloudFront::Function"):
        if book.used("requests") > _FREE_RUNS:
            reason = "two million runs are free, and nobody was found for the price beyond"
            book.unknown("CloudFront", function.name, reason, [function])
    measured = there.of("AWS::CloudFront::MonitoringSubscription")
    if measured:
        book.charge(
            "CloudFront", "its further metrics", "cloudfront/metrics", Decimal(len(measured)), measured
        )


def transfer(book: Book, there: Inventory) -> None:
    """What goes out past CloudFront; behind it, what it fetches is free."""
    facing = there.of(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGateway::RestApi",
        "AWS::Lambda::Url",
    )
    if facing and not there.of("AWS::CloudFront::Distribution"):
        out = book.used("transfer_gb")
        book.charge("Data transfer", f"{out} GB out", "transfer/out", out, facing)


def firewalls(book: Book, there: Inventory) -> None:
    """WAF: lists, rules, and requests looked at; bot control costs extra."""
    items = there.of("AWS::WAFv2::WebACL")
    if not items:
        return
    rules = [rule for item in items for rule in item.get("Rules") or []]
    bots = [rule for rule in rules if _group(rule) == _BOTS]
    requests = book.used("requests")
    book.charge("WAF", count(len(items), "access list"), "waf/acl", Decimal(len(items)), items)
    book.charge("WAF", count(len(rules), "rule"), "waf/rule", Decimal(len(rules)), items)
    book.charge("WAF", f"{requests:,.0f} requests", "waf/requests", requests, items)
    if bots:
        book.charge("WAF", "bot control", "waf/bots", Decimal(len(bots)), items)
        book.charge("WAF", "bot control: requests", "waf/bots-requests", requests, items)


def _group(rule: Any) -> str:
    try:
        return str(rule["Statement"]["ManagedRuleGroupStatement"]["Name"])
    except (KeyError, TypeError):
        return ""


def zones(book: Book, there: Inventory) -> None:
    """Hosted zones, and queries that no alias answers."""
    items = there.of("AWS::Route53::HostedZone")
    if items:
        queries = book.used("dns_queries")
        book.charge("Route 53", count(len(items), "hosted zone"), "route53/zone", Decimal(len(items)), items)
        book.charge("Route 53", f"{queries:,.0f} queries", "route53/queries", queries, items)


def apis(book: Book, there: Inventory) -> None:
    """HTTP and REST APIs by the request, and the cache of a REST API by the hour."""
    http = [item for item in there.of("AWS::ApiGatewayV2::Api") if item.text("ProtocolType") == "HTTP"]
    rest = there.of("AWS::ApiGateway::RestApi")
    for item in there.of("AWS::ApiGatewayV2::Api"):
        if item not in http:
            book.unknown("API Gateway", item.name, "WebSocket APIs are not in the table", [item])
    for items, price in (http, "api/http"), (rest, "api/rest"):
        if items:
            requests = book.used("api_requests")
            book.charge("API Gateway", f"{requests:,.0f} requests", price, requests, items)
    for stage in there.of("AWS::ApiGateway::Stage"):
        if stage.on("CacheClusterEnabled"):
            size = stage.text("CacheClusterSize", default="0.5")
            book.charge("API Gateway", f"{size} GB cache, 730 h", f"api/cache-{size}", HOURS, [stage])


def pools(book: Book, there: Inventory) -> None:
    """Cognito, by the people who sign in within a month; usage is that of all pools together."""
    items = there.of("AWS::Cognito::UserPool")
    if items:
        tier = items[0].text("UserPoolTier", default="ESSENTIALS")
        users = book.used("users")
        book.charge(
            "Cognito", f"{users:,.0f} people, {tier.title()}", f"cognito/{tier}", users, _of(items, tier)
        )


def _of(items: list[Item], tier: str) -> list[Item]:
    return [item for item in items if item.text("UserPoolTier", default="ESSENTIALS") == tier]
