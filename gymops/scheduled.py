"""What EventBridge calls: a Lambda function outside of the VPC, which reads, proves and tells.

``{"do": "audit"}``, by the clock, holds the backups of the environment to the tiers its template declares,
puts metrics, and tells the alert topic what it found. It answers as ``gymops audit --json`` prints, and with
what it judged, or with an error. ``{"do": "judge"}``, when AWS Backup's restore-testing plan has restored
something, has that proved from inside of the network, tells AWS Backup what the proof said, and audits. What
an event missed, the next audit judges. Seals are checked by their public key, which KMS pins; it signs none.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gymops.clock import Clock, SystemClock
from gymops.errors import ConfigError, GymopsError, Unverified

if TYPE_CHECKING:
    from datetime import datetime

    from gymops.aws.account import Account
    from gymops.aws.databases import Database, Databases
    from gymops.backup.audit import Audit
    from gymops.backup.catalogue import Seals
    from gymops.backup.evidence import Evidence
    from gymops.backup.managed.inside import Functions
    from gymops.backup.managed.judging import Verdict
    from gymops.backup.managed.known import Known
    from gymops.backup.managed.places import Places
    from gymops.backup.port import Listing
    from gymops.backup.signature import Signer
    from gymops.store.objects import Objects

VARIABLES = (
    "GYMOPS_APP_ENVIRONMENT",
    "GYMOPS_DATABASE",
    "GYMOPS_BACKUP_VAULT",
    "GYMOPS_BACKUP_TIERS",
    "GYMOPS_COPY_VAULT",
    "GYMOPS_ALERT_TOPIC",
    "GYMOPS_RELEASE_BUCKET",
    "GYMOPS_DATABASE_FUNCTION",
    "GYMOPS_KMS_KEY",
)
"""What the template tells it; the vault for copies may be empty."""
_MAY_BE_EMPTY = frozenset({"GYMOPS_COPY_VAULT"})
_WORK = ("audit", "judge")
_BROKEN = frozenset({"forged", "seal"})
"""Codes of records that cannot be believed."""
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


def answer(
    event: Any,
    environ: Mapping[str, str],
    account: Account,
    *,
    clock: Clock,
    functions: Functions | None = None,
) -> dict[str, Any]:
    """The document that answers an event.

    Raises:
        ConfigError: the event asks for something else; a variable is missing.
        AwsError: AWS does not answer; nothing is told then.
        Unverified: an event asks to judge, and something that waits for it could not be judged.
    """
    from gymops.backup.document import as_dict

    asked = event.get("do") if isinstance(event, dict) else None
    if asked not in _WORK:
        raise ConfigError(f"the event asks for {asked!r}", hint=f'{{"do": one of {", ".join(_WORK)}}}')
    missing = [name for name in VARIABLES if name not in _MAY_BE_EMPTY and not environ.get(name)]
    if missing:
        raise ConfigError(f"{missing[0]} is not set", hint="the template sets it: gymops deploy ENV")
    sealed = _sealed(environ, account)
    verdicts, trouble = _judged(environ, account, functions or _functions(account), sealed)
    if trouble and asked == "judge":
        raise Unverified(trouble, hint="Lambda tries again; then the next audit does")
    found = audited(environ, account, clock.now(), sealed.known)
    publish(found, account, environ["GYMOPS_ALERT_TOPIC"])
    document = as_dict(found)
    _log.info("audited %s: %d findings", found.environment, len(found.findings))
    judged = [asdict(one) for one in verdicts]
    return {**document, "findings": document["findings"][:_MOST], "jobs": [], "judged": judged}


@dataclass(frozen=True)
class _Sealed:
    """What is written down beside the backups, as far as it can be checked."""

    known: Known
    seals: Seals | None = None
    trouble: str = ""


@dataclass(frozen=True)
class _Kept:
    environment: str
    objects: Objects
    keys: Signer


def _sealed(environ: Mapping[str, str], account: Account) -> _Sealed:
    from gymops.aws.kms import WrappingKey
    from gymops.aws.s3 import S3Objects
    from gymops.backup.managed.known import Known
    from gymops.store.below import Below

    name, s3 = environ["GYMOPS_APP_ENVIRONMENT"], account.client("s3")
    objects = Below(S3Objects(s3, environ["GYMOPS_RELEASE_BUCKET"], SystemClock()), "backups/")
    try:
        from gymops.backup.catalogue import Catalogue, Seals
        from gymops.backup.managed.known import known
        from gymops.backup.pinned import public_key

        key = public_key(objects, name, WrappingKey(account, environ["GYMOPS_KMS_KEY"]))
        seals = Seals(objects, name, key)
        seals.sealed()
        return _Sealed(known(_Kept(name, objects, key), Catalogue(objects, name, key).points(), seals), seals)
    except ImportError as error:  # of an app that has no use for it; the audit goes without
        why = f"the artefact has no {error.name}"
    except GymopsError as error:
        why = error.message
    _log.warning("the seals cannot be checked: %s", why)
    return _Sealed(Known(), None, why)


def _judged(
    environ: Mapping[str, str], account: Account, functions: Functions, sealed: _Sealed
) -> tuple[Sequence[Verdict], str | None]:
    """Judge what AWS Backup's plan restored; and why that could not be, if it could not."""
    from gymops.aws.backup_jobs import BackupJobs

    jobs = BackupJobs(account)
    try:
        databases, _, there = _database(environ, account)
        if not any(one.resource == there.arn for one in jobs.tests()):
            return [], None
        if sealed.seals is None:
            return [], sealed.trouble
        from gymops.backup.managed.judging import judge
        from gymops.backup.managed.proving import Proving

        proving = Proving(databases, functions, environ["GYMOPS_DATABASE_FUNCTION"], sealed.seals)
        verdicts = judge(there.arn, jobs, lambda: _listing(environ, account, sealed.known), proving, _say)
    except GymopsError as error:
        _log.error("not judged: %s", json.dumps(error.as_dict()))
        return [], error.message
    untold = [one.why for one in verdicts if one.passed is None]
    for one in verdicts:
        _log.info("judged %s", json.dumps(asdict(one)))
    return verdicts, untold[0] if untold else None


def audited(environ: Mapping[str, str], account: Account, now: datetime, known: Known) -> Audit:
    """Hold what AWS tells to what the template declares."""
    from gymops.backup.audit import audit
    from gymops.backup.declared import declared

    return audit(_evidence(environ, account, now, known), declared(environ["GYMOPS_BACKUP_TIERS"]), now)


def publish(found: Audit, account: Account, topic: str) -> None:
    """Put the metrics, and tell the topic what is new."""
    from gymops.aws.notices import Metrics, Topic
    from gymops.backup import telling

    whose = telling.dimensions(found.environment)
    Metrics(account, telling.NAMESPACE).put(list(telling.metrics(found)), whose, found.at)
    alert = telling.alert(found)
    if alert and topic:
        Topic(account, topic).publish(*alert)


def _evidence(environ: Mapping[str, str], account: Account, now: datetime, known: Known) -> Evidence:
    from gymops.aws.backup_history import BackupHistory
    from gymops.backup.gather_rds import gather

    _, _, there = _database(environ, account)
    listing = _listing(environ, account, known)
    name = environ["GYMOPS_APP_ENVIRONMENT"]
    damaged = known.still_damaged(name, listing, now)
    return gather(name, there, listing, BackupHistory(account), now, damaged=damaged)


def _listing(environ: Mapping[str, str], account: Account, known: Known) -> Listing:
    from gymops.aws.vaults import Vaults
    from gymops.backup.managed.known import Known
    from gymops.backup.managed.listing import look

    databases, places, there = _database(environ, account)
    away = Vaults(account, places.copies_region) if places.copies_region else None
    try:
        return look(places, there.arn, databases, Vaults(account), away, known)
    except GymopsError as error:
        if error.code not in _BROKEN:
            raise
        _log.warning("the seals cannot be checked: %s", error.message)  # an older one than those that count
        return look(places, there.arn, databases, Vaults(account), away, Known(known.points, jobs=known.jobs))


def _database(environ: Mapping[str, str], account: Account) -> tuple[Databases, Places, Database]:
    from gymops.aws.databases import Databases
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
    return databases, places, there


def _functions(account: Account) -> Functions:
    from gymops.aws.functions import Functions

    return Functions(account)


def _say(phase: str, how_far: str) -> None:
    _log.info("%s: %s", phase, how_far)
