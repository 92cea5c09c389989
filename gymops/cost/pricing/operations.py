"""Keys, secrets, logs, alarms, messages, schedules, and what builds."""

from __future__ import annotations

from decimal import Decimal

from gymops.cost.book import Book, count
from gymops.cost.inventory import Inventory
from gymops.cost.pricing.databases import INSTANCE


def keys(book: Book, there: Inventory) -> None:
    """KMS: keys, and requests for them."""
    items = there.of("AWS::KMS::Key", "AWS::KMS::ReplicaKey")
    if items:
        requests = book.used("key_requests")
        book.charge("KMS", count(len(items), "key"), "kms/key", Decimal(len(items)), items)
        book.charge("KMS", f"{requests:,.0f} requests", "kms/requests", requests, items)


def secrets(book: Book, there: Inventory) -> None:
    """Secrets Manager: those of the template, and those RDS makes for its master's password."""
    managed = [item for item in there.of(INSTANCE) if item.on("ManageMasterUserPassword")]
    items = [*there.of("AWS::SecretsManager::Secret"), *managed]
    if items:
        calls = book.used("secret_calls")
        book.charge(
            "Secrets Manager", count(len(items), "secret"), "secrets/secret", Decimal(len(items)), items
        )
        book.charge("Secrets Manager", f"{calls:,.0f} calls", "secrets/calls", calls, items)


def alarms(book: Book, there: Inventory) -> None:
    """By the metrics that alarms look at; a composite alarm has its own price."""
    items, composite = there.of("AWS::CloudWatch::Alarm"), there.of("AWS::CloudWatch::CompositeAlarm")
    if items:
        metrics = Decimal(
            sum(max(1, sum("MetricStat" in one for one in item.get("Metrics") or [])) for item in items)
        )
        book.charge("CloudWatch", count(len(items), "alarm"), "cloudwatch/alarm", metrics, items)
    if composite:
        number = Decimal(len(composite))
        book.charge("CloudWatch", count(number, "composite alarm"), "cloudwatch/composite", number, composite)


def dashboards(book: Book, there: Inventory) -> None:
    """Dashboards of up to 50 metrics."""
    items = there.of("AWS::CloudWatch::Dashboard")
    if items:
        book.charge(
            "CloudWatch", count(len(items), "dashboard"), "cloudwatch/dashboard", Decimal(len(items)), items
        )


def logs(book: Book, there: Inventory) -> None:
    """Logs as they come in and, uncompressed, as long as they are kept; and metrics of the app's own."""
    items = there.of("AWS::Logs::LogGroup")
    if not items:
        return
    size, metrics = book.used("logs_gb"), book.used("metrics")
    days = max(item.number("RetentionInDays") or Decimal(3650) for item in items)
    book.charge("CloudWatch", f"{size} GB of logs", "cloudwatch/logs", size, items)
    book.charge("CloudWatch", f"logs of {days} days", "cloudwatch/logs-kept", size * days / 30, items)
    book.charge("CloudWatch", f"{metrics} metrics of the app", "cloudwatch/metric", metrics, items)


def topics(book: Book, there: Inventory) -> None:
    """SNS by what it sends; Cognito's SMS go through it too."""
    items = there.of("AWS::SNS::Topic", "AWS::Cognito::UserPool")
    if not items:
        return
    sms, push, emails = book.used("sms"), book.used("push"), book.used("emails")
    book.charge("SNS", f"{sms:,.0f} SMS (USA)", "sns/sms", sms, items)
    book.charge("SNS", f"{push:,.0f} push messages", "sns/push", push, items)
    book.charge("SNS", f"{emails:,.0f} e-mails", "sns/email", emails, items)


def queues(book: Book, there: Inventory) -> None:
    """SQS; usage is that of all queues together, those for dead letters too."""
    items = there.of("AWS::SQS::Queue")
    if items:
        requests = book.used("queue_requests")
        book.charge("SQS", f"{requests:,.0f} requests", "sqs/requests", requests, items)


def schedules(book: Book, there: Inventory) -> None:
    """EventBridge Scheduler, by the run: each at most once an hour."""
    items = there.of("AWS::Scheduler::Schedule")
    if items:
        runs = Decimal(len(items) * 730)
        book.charge("EventBridge", count(len(items), "schedule"), "scheduler/runs", runs, items)


def traces(book: Book, there: Inventory) -> None:
    """X-Ray, where the template samples or something is told to trace."""
    items = [
        *there.of("AWS::XRay::SamplingRule", "AWS::XRay::Group"),
        *(one for one in there.of("AWS::Lambda::Function") if one.text("TracingConfig", "Mode") == "Active"),
        *(one for one in there.of("AWS::ApiGateway::Stage") if one.on("TracingEnabled")),
    ]
    if items:
        number = book.used("traces")
        book.charge("X-Ray", f"{number:,.0f} traces", "xray/traces", number, items)


def pipelines(book: Book, there: Inventory) -> None:
    """CodePipeline by the pipeline (V1) or its minutes (V2), CodeBuild by its minutes."""
    items = there.of("AWS::CodePipeline::Pipeline")
    old = [item for item in items if item.text("PipelineType", default="V1") == "V1"]
    new = [item for item in items if item not in old]
    minutes = book.used("build_minutes") if items or there.of("AWS::CodeBuild::Project") else Decimal(0)
    if old:
        book.charge("Build", count(len(old), "pipeline"), "codepipeline/V1", Decimal(len(old)), old)
    if new:
        book.charge("Build", f"{minutes} minutes of pipelines", "codepipeline/V2", minutes, new)
    for size in sorted(
        {one.text("Environment", "ComputeType") for one in there.of("AWS::CodeBuild::Project")}
    ):
        same = [
            one
            for one in there.of("AWS::CodeBuild::Project")
            if one.text("Environment", "ComputeType") == size
        ]
        book.charge("Build", f"{minutes} minutes of builds", f"codebuild/{size}", minutes, same)
