"""What EventBridge has done by the clock: a Lambda function outside of the VPC, which only reads and tells.

``{"do": "audit"}`` holds the backups of the environment to the tiers its template declares, puts metrics,
and tells the alert topic what it found. It answers as ``gymops audit --json`` prints, or with an error.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gymops.clock import Clock, SystemClock
from gymops.errors import ConfigError, GymopsError

if TYPE_CHECKING:
    from datetime import datetime

    from gymops.aws.account import Account
    from gymops.backup.audit import Audit
    from gymops.backup.evidence import Evidence

VARIABLES = (
    "GYMOPS_APP_ENVIRONMENT",
    "GYMOPS_DATABASE",
    "GYMOPS_BACKUP_VAULT",
    "GYMOPS_BACKUP_TIERS",
    "GYMOPS_COPY_VAULT",
    "GYMOPS_ALERT_TOPIC",
)
"""What the template tells it; the vault for copies may be empty."""
_MAY_BE_EMPTY = frozenset({"GYMOPS_COPY_VAULT"})
_WORK = ("audit",)
_MOST = 200
"""Findings in an answer: Lambda takes no more than 6 MB."""

_log = logging.getLogger("gymops.scheduled")


def handler(event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG001 - as Lambda calls it
    """Do what the event says.

    Raises:
        RuntimeError: it could not be done: AWS counts an error then, and tries again.
    """
    from gymops.aws.account import Account

    logging.getLogger().setLevel(logging.INFO)
    account = Account(os.environ.get("AWS_REGION", ""))
    try:
        return answer(event, os.environ, account, clock=SystemClock())
    except GymopsError as error:
        _log.error("%s", json.dumps(error.as_dict()))
        raise RuntimeError(error.message) from None


def answer(event: Any, environ: Mapping[str, str], account: Account, *, clock: Clock) -> dict[str, Any]:
    """The document that answers an event.

    Raises:
        ConfigError: the event asks for something else; a variable is missing.
        AwsError: AWS does not answer; nothing is told then.
    """
    from gymops.backup.document import as_dict

    asked = event.get("do") if isinstance(event, dict) else None
    if asked not in _WORK:
        raise ConfigError(f"the event asks for {asked!r}", hint='{"do": "audit"}')
    missing = [name for name in VARIABLES if name not in _MAY_BE_EMPTY and not environ.get(name)]
    if missing:
        raise ConfigError(f"{missing[0]} is not set", hint="the template sets it: gymops deploy ENV")
    found = audited(environ, account, clock.now())
    publish(found, account, environ["GYMOPS_ALERT_TOPIC"])
    document = as_dict(found)
    _log.info("audited %s: %d findings", found.environment, len(found.findings))
    return {**document, "findings": document["findings"][:_MOST], "jobs": []}


def audited(environ: Mapping[str, str], account: Account, now: datetime) -> Audit:
    """Hold what AWS tells to what the template declares."""
    from gymops.backup.audit import audit
    from gymops.backup.declared import declared

    return audit(_evidence(environ, account, now), declared(environ["GYMOPS_BACKUP_TIERS"]), now)


def publish(found: Audit, account: Account, topic: str) -> None:
    """Put the metrics, and tell the topic what is new."""
    from gymops.aws.notices import Metrics, Topic
    from gymops.backup import telling

    whose = telling.dimensions(found.environment)
    Metrics(account, telling.NAMESPACE).put(list(telling.metrics(found)), whose, found.at)
    alert = telling.alert(found)
    if alert and topic:
        Topic(account, topic).publish(*alert)


def _evidence(environ: Mapping[str, str], account: Account, now: datetime) -> Evidence:
    from gymops.aws.backup_history import BackupHistory
    from gymops.aws.databases import Databases
    from gymops.aws.vaults import Vaults
    from gymops.backup.gather_rds import gather
    from gymops.backup.managed.listing import Known, look
    from gymops.backup.managed.places import Places

    databases = Databases(account)
    places = Places(
        environ["GYMOPS_DATABASE"],
        environ["GYMOPS_BACKUP_VAULT"],
        copies=environ.get("GYMOPS_COPY_VAULT") or None,
    )
    there = databases.find(places.instance)
    if there is None:
        raise GymopsError(
            f"the database {places.instance} is gone",
            hint=f"gymops backups {environ['GYMOPS_APP_ENVIRONMENT']} lists what it can be restored from",
        )
    away = Vaults(account, places.copies_region) if places.copies_region else None
    listing = look(places, there.arn, databases, Vaults(account), away, Known())
    history = BackupHistory(account)
    return gather(environ["GYMOPS_APP_ENVIRONMENT"], there, listing, history, now)
