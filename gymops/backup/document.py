"""An audit as a JSON document."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gymops.backup.audit import Audit, Standing
from gymops.backup.evidence import Trial
from gymops.store.records import plain


def as_dict(audit: Audit) -> dict[str, Any]:
    """For ``--json``; the keys are stable."""
    return {
        "environment": audit.environment,
        "at": audit.at.isoformat(),
        "ok": not audit.findings,
        "expected": audit.expected,
        "taken": audit.taken,
        "success_rate": audit.success_rate,
        "newest": audit.newest.isoformat() if audit.newest else None,
        "findings": [plain(one) for one in audit.findings],
        "tiers": [_standing(one) for one in audit.standings],
        "jobs": [plain(one) for one in audit.slots],
    }


def _standing(one: Standing) -> dict[str, Any]:
    tier = one.tier
    return {
        "name": tier.name,
        "schedule": tier.schedule.text if tier.schedule else None,
        "keep_seconds": _seconds(tier.keep),
        "copy": tier.copy,
        "target": {"rpo_seconds": _seconds(tier.rpo), "rto_seconds": _seconds(tier.rto)},
        "expected": one.expected,
        "taken": one.taken,
        "newest": one.newest.isoformat() if one.newest else None,
        "restore_test": _trial(one.tested) if one.tested else None,
    }


def _trial(one: Trial) -> dict[str, Any]:
    return {
        "began": one.began.isoformat(),
        "result": str(one.result),
        "recovery_point": one.point,
        "rpo_seconds": one.rpo_seconds,
        "rto_seconds": one.rto_seconds,
        "events": one.events,
        "digest": one.digest,
        "message": one.message,
    }


def _seconds(span: timedelta | None) -> int | None:
    return int(span.total_seconds()) if span is not None else None
