"""Lambda and Fargate."""

from __future__ import annotations

import re
from decimal import Decimal

from gymops.cost.book import HOURS, Book, count
from gymops.cost.inventory import Inventory, Item

_MB = Decimal(1024)


def functions(book: Book, there: Inventory) -> None:
    """Every invocation as one of the largest function that serves; usage is that of all together."""
    items = there.of("AWS::Lambda::Function")
    if not items:
        return
    for item in there.of("AWS::Lambda::Alias", "AWS::Lambda::Version"):
        if item.get("ProvisionedConcurrencyConfig"):
            reason = "instances kept warm are billed by the second, and the table has no price for them"
            book.unknown("Lambda", f"{item.name}: provisioned concurrency", reason, [item])
    largest = max(_serving(items, there), key=_memory)
    memory = _memory(largest)
    processor = largest.text("Architectures", 0, default="x86_64")
    calls, seconds = book.used("invocations"), book.used("invocation_ms") / 1000
    book.charge("Lambda", f"{calls:,.0f} requests", "lambda/requests", calls, items)
    used = calls * seconds * memory / _MB
    book.charge("Lambda", f"{memory} MB, {processor}", f"lambda/{processor}", used, [largest])


def _serving(items: list[Item], there: Inventory) -> list[Item]:
    """Functions that a URL, an alias or an API names; all, if none does."""
    callers = there.of(
        "AWS::Lambda::Url",
        "AWS::Lambda::Alias",
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGateway::Method",
        "AWS::ApiGateway::RestApi",
    )
    named = [item for item in items if any(_names(caller, item) for caller in callers)]
    return named or items


def _names(caller: Item, function: Item) -> bool:
    return caller.stack == function.stack and bool(re.search(rf"\b{function.name}\b", str(caller.raw)))


def _memory(function: Item) -> Decimal:
    return function.number("MemorySize") or Decimal(128)


def services(book: Book, there: Inventory) -> None:
    """Tasks that run all month, within what their autoscaling allows."""
    for item in there.of("AWS::ECS::Service"):
        definition = _definition(item, there)
        cpu = definition.number("Cpu") if definition else None
        memory = definition.number("Memory") if definition else None
        if definition is None or cpu is None or memory is None:
            book.unknown("Fargate", item.name, "the size of its tasks is not in the template", [item])
            continue
        if "SPOT" in str(item.get("CapacityProviderStrategy")) or item.text("LaunchType") == "EC2":
            book.unknown("Fargate", item.name, "Spot and EC2 capacity have no list price", [item])
            continue
        processor = definition.text("RuntimePlatform", "CpuArchitecture", default="X86_64")
        number = _tasks(book, item, there)
        size = f"{number} x {cpu / _MB} vCPU, {memory / _MB} GB"
        used = number * HOURS
        book.charge("Fargate", f"{size}: vCPU", f"fargate/{processor}/cpu", used * cpu / _MB, [item])
        book.charge("Fargate", f"{size}: memory", f"fargate/{processor}/memory", used * memory / _MB, [item])
        if _public(item):
            book.charge("Fargate", count(number, "public address"), "vpc/ipv4", used, [item])


def insights(book: Book, there: Inventory) -> None:
    """Container Insights are custom metrics, and how many is known only while it runs."""
    for item in there.of("AWS::ECS::Cluster"):
        settings = {str(one.get("Name")): str(one.get("Value")) for one in item.get("ClusterSettings") or []}
        if settings.get("containerInsights") in {"enabled", "enhanced"}:
            reason = "billed by the metrics of what runs; their number is not in the template"
            book.unknown("CloudWatch", f"{item.name}: Container Insights", reason, [item])


def _definition(service: Item, there: Inventory) -> Item | None:
    """The task definition that a service names, on whatever condition."""
    named = str(service.raw.get("TaskDefinition"))
    same = [one for one in there.of("AWS::ECS::TaskDefinition") if one.stack == service.stack]
    return next((one for one in same if re.search(rf"\b{one.name}\b", named)), None)


def _tasks(book: Book, service: Item, there: Inventory) -> Decimal:
    """How many run on average: the profile's number, within the service's limits."""
    wanted = max(book.used("tasks"), service.number("DesiredCount") or Decimal(1))
    for scaled in there.of("AWS::ApplicationAutoScaling::ScalableTarget"):
        if scaled.stack == service.stack and scaled.text("ScalableDimension").startswith("ecs:"):
            least, most = scaled.number("MinCapacity"), scaled.number("MaxCapacity")
            wanted = max(wanted, least or wanted)
            return min(wanted, most or wanted)
    return wanted


def _public(service: Item) -> bool:
    found = service.text("NetworkConfiguration", "AwsvpcConfiguration", "AssignPublicIp")
    return found == "ENABLED"
