"""RDS with its proxy, DynamoDB, ElastiCache."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from gymops.cost.book import HOURS, Book, count
from gymops.cost.inventory import Inventory, Item
from gymops.cost.prices import Price
from gymops.cost.pricing.hours import running

INSTANCE = "AWS::RDS::DBInstance"


def instances(book: Book, there: Inventory) -> None:
    """Hours and storage, twice where a standby runs; hours by the schedules that stop and start it."""
    hours = running(there)
    for item in there.of(INSTANCE):
        name = item.text("DBInstanceClass", default="an unknown class")
        engine = item.text("Engine", default="postgres")
        if engine != "postgres":
            book.unknown("RDS", item.name, f"the table has PostgreSQL only, and this is {engine}", [item])
            continue
        copies = Decimal(2 if item.on("MultiAZ") else 1)
        twice = " twice (Multi-AZ)" if copies == 2 else ""
        book.charge("RDS", f"{name}{twice}, {hours:.0f} h", f"rds/{name}", hours * copies, [item])
        _storage(book, item, there, copies)
        if (item.number("PerformanceInsightsRetentionPeriod") or 0) > 7:
            book.unknown(
                "RDS", f"{item.name}: Performance Insights", "seven days are free, and it has more", [item]
            )
        if (item.number("MonitoringInterval") or 0) > 0:
            book.unknown(
                "RDS", f"{item.name}: Enhanced Monitoring", "it is billed by the logs it writes", [item]
            )


def _storage(book: Book, item: Item, there: Inventory, copies: Decimal) -> None:
    """A replica has what the instance has that it is one of."""
    source = there.named(item.refers("SourceDBInstanceIdentifier"), item.stack) or item
    size = item.number("AllocatedStorage") or source.number("AllocatedStorage")
    kind = item.text("StorageType", default=source.text("StorageType", default="gp2"))
    if size is None:
        book.unknown("RDS", f"{item.name}: storage", "its size is not in the template", [item])
    else:
        book.charge(
            "RDS", f"{size} GB {kind}{' twice' if copies == 2 else ''}", f"rds/{kind}", size * copies, [item]
        )


def proxies(book: Book, there: Inventory) -> None:
    """By the vCPUs of the database behind it, two at least, whether or not that runs."""
    for item in there.of("AWS::RDS::DBProxy"):
        behind = instance_price(book, there)
        if behind is None:
            reason = "it is billed by its database's vCPUs, and those are unknown"
            book.unknown("RDS Proxy", item.name, reason, [item])
        else:
            vcpus = Decimal(max(behind.vcpus, 2))
            book.charge("RDS Proxy", count(vcpus, "vCPU"), "rds/proxy", vcpus * HOURS, [item])


def instance_price(book: Book, there: Inventory) -> Price | None:
    """The price of the database instance, if it has one in the table."""
    for item in there.of(INSTANCE):
        return book.prices.get(f"rds/{item.text('DBInstanceClass')}")
    return None


def tables(book: Book, there: Inventory) -> None:
    """DynamoDB, on demand; usage is that of all tables together."""
    items = there.of("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
    demand = [item for item in items if item.text("BillingMode") == "PAY_PER_REQUEST"]
    for item in items:
        if item not in demand:
            book.unknown(
                "DynamoDB", item.name, "provisioned capacity is not in the table, only on demand", [item]
            )
    if not demand:
        return
    size = book.used("table_gb")
    book.charge("DynamoDB", "writes", "dynamodb/write", book.used("table_writes"), demand)
    book.charge("DynamoDB", "reads", "dynamodb/read", book.used("table_reads"), demand)
    book.charge("DynamoDB", f"{size} GB", "dynamodb/storage", size, demand)
    kept = list(_restorable(demand))
    if kept:
        book.charge("DynamoDB", f"restore to a point in time, {size} GB", "dynamodb/pitr", size, kept)


def _restorable(tables: list[Item]) -> Iterator[Item]:
    for item in tables:
        if item.on("PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"):
            yield item


def caches(book: Book, there: Inventory) -> None:
    """ElastiCache, by the node."""
    for item in there.of("AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ReplicationGroup"):
        node = item.text("CacheNodeType", default="an unknown node")
        count = item.number("NumCacheNodes") or item.number("NumCacheClusters") or Decimal(1)
        book.charge("ElastiCache", f"{count} x {node}", f"elasticache/{node}", count * HOURS, [item])
