"""S3, ECR, and what AWS Backup keeps."""

from __future__ import annotations

import re
from decimal import Decimal

from gymops.cost.book import Book, count
from gymops.cost.inventory import Inventory
from gymops.cost.pricing.databases import INSTANCE, instance_price


def buckets(book: Book, there: Inventory) -> None:
    """S3 Standard; usage is that of all buckets together."""
    items = there.of("AWS::S3::Bucket")
    if items:
        size = book.used("files_gb")
        book.charge("S3", f"{size} GB", "s3/storage", size, items)
        book.charge("S3", "writes", "s3/writes", book.used("file_writes"), items)
        book.charge("S3", "reads", "s3/reads", book.used("file_reads"), items)


def repositories(book: Book, there: Inventory) -> None:
    """ECR; usage is that of all repositories together."""
    items = there.of("AWS::ECR::Repository")
    if items:
        size = book.used("images_gb")
        book.charge("ECR", f"{size} GB of images", "ecr/storage", size, items)


def recovery_points(book: Book, there: Inventory) -> None:
    """What AWS Backup keeps, here and copied; RDS's own backups are free up to the size of its storage."""
    plans = there.of("AWS::Backup::BackupPlan")
    vaults = there.of("AWS::Backup::BackupVault")
    if plans:
        size = book.used("backup_gb")
        kind = "rds" if there.of(INSTANCE) else "dynamodb"
        book.charge("AWS Backup", f"{size} GB of recovery points", f"backup/{kind}", size, plans)
        if any(
            "CopyActions" in rule for plan in plans for rule in plan.get("BackupPlan", "BackupPlanRule") or []
        ):
            kept, new = book.used("copies_gb"), book.used("copied_gb")
            away = [item for item in vaults if item.region != plans[0].region] or plans
            book.charge("AWS Backup", f"{kept} GB of copies elsewhere", f"backup/{kind}", kept, away)
            book.charge("AWS Backup", f"{new} GB copied there", "backup/copy", new, plans)


def restore_tests(book: Book, there: Inventory) -> None:
    """Each test, and the database that it restores for as long as it may be proved."""
    plans = {
        item.text("RestoreTestingPlanName"): item for item in there.of("AWS::Backup::RestoreTestingPlan")
    }
    for plan in plans.values():
        often = _a_month(plan.text("ScheduleExpression"))
        if often is None:
            book.unknown("AWS Backup", plan.name, "how often it tests is not in the template", [plan])
            continue
        book.charge("AWS Backup", count(often, "restore test"), "backup/restore-test", often, [plan])
        price = instance_price(book, there)
        for chosen in there.of("AWS::Backup::RestoreTestingSelection"):
            if chosen.stack == plan.stack and price is not None:
                hours = chosen.number("ValidationWindowHours") or Decimal(0)
                book.charge(
                    "AWS Backup", f"the restored copy, {hours} h", price.name, hours * often, [chosen]
                )


def _a_month(expression: str) -> Decimal | None:
    """How often a month a schedule runs: on one day of it, on one of the week, or every day."""
    found = re.fullmatch(r"cron\(\S+ \S+ (\S+) \* (\S+) \*\)", expression)
    if found is None:
        return None
    if found[1].isdigit():
        return Decimal(1)
    if re.fullmatch(r"[A-Z]{3}|[1-7]", found[2]):
        return Decimal("4.33")
    return Decimal(30) if {found[1], found[2]} <= {"*", "?"} else None
