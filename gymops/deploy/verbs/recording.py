"""What a release's record says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gymops.deploy.release.ledger import Release, Source
from gymops.deploy.release.operation import Operation
from gymops.deploy.release.plan import Context
from gymops.deploy.release.records import shown
from gymops.deploy.template import Template
from gymops.deploy.verbs import static
from gymops.deploy.verbs.site import Site
from gymops.deploy.verbs.wanted import Wanted


def release(
    site: Site,
    operation: Operation,
    wanted: Wanted,
    parameters: Mapping[str, str],
    facts: Mapping[str, Any],
    context: Context,
) -> Release:
    """The record of an operation that ends; of ``parameters`` what the template takes and no secret is."""
    results = context.results
    schema = results.get("schema") or {}
    recorded, withheld = given(site, wanted, parameters)
    source: Source | None = facts.get("source")
    return Release(
        environment=site.deployment.name,
        operation=context.operation,
        verb=operation.request.verb,
        outcome=operation.verdict,
        who=operation.request.who,
        artefact=wanted.artefact,
        template=wanted.template_digest,
        parameters=recorded,
        withheld=withheld,
        started=operation.started,
        ended=site.clock.now(),
        why=context.failure.message if context.failure else None,
        approved_by=facts.get("approved_by"),
        commit=facts.get("commit"),
        dirty=bool(facts.get("dirty")),
        schema_before=schema.get("before") or facts.get("schema_now"),
        schema_after=schema.get("after") or facts.get("schema_now"),
        accepts=schema.get("accepts") or facts.get("accepts"),
        waiting=tuple(schema.get("waiting") or facts.get("waiting") or ()),
        change_set=(results.get("stack") or {}).get("change_set"),
        test=facts.get("test"),
        smoke=tuple(results.get("smoke") or ()),
        durations=operation.durations,
        source=source,
        break_glass=facts.get("break_glass"),
        version=results.get("version"),
        static=static.recorded(results),
    )


def given(
    site: Site, wanted: Wanted, parameters: Mapping[str, str]
) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """The parameters as a record has them, and the names of those that no record may hold."""
    parameters = {**site.deployment.parameters, **parameters}
    known = {name: value for name, value in parameters.items() if name in wanted.template.parameters}
    recorded = shown(known, _secret(wanted.template))
    return recorded, tuple(sorted(set(known) - set(recorded)))


def _secret(template: Template) -> frozenset[str]:
    """The parameters that no record may hold."""
    declared = template.parameters.items()
    return frozenset(name for name, one in declared if str(one.get("NoEcho", "")).lower() == "true")
