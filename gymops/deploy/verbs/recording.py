"""What a release's record says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

from gymops.deploy.release.ledger import Release, ReleasedArtefact
from gymops.deploy.release.operation import Operation
from gymops.deploy.release.plan import Context, Outcome
from gymops.deploy.release.records import shown
from gymops.deploy.template import Template
from gymops.deploy.verbs import static
from gymops.deploy.verbs.site import Site
from gymops.deploy.verbs.wanted import Wanted
from gymops.store.records import plain, read


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
        schema_before=schema.get("before") or facts.get("schema_now"),
        schema_after=schema.get("after") or facts.get("schema_now"),
        accepts=schema.get("accepts") or facts.get("accepts"),
        waiting=tuple(schema.get("waiting") or facts.get("waiting") or ()),
        change_set=(results.get("stack") or {}).get("change_set"),
        smoke=tuple(results.get("smoke") or ()),
        durations=operation.durations,
        version=results.get("version"),
        static=static.recorded(results),
        restore={**facts["restore"], **(results.get("seal") or {})} if facts.get("restore") else None,
        **_told(facts),
    )


def known(
    site: Site, wanted: Wanted, parameters: Mapping[str, str], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """What the record will say however the operation ends, as JSON has it."""
    recorded, withheld = given(site, wanted, parameters)
    artefact, template = wanted.artefact, wanted.template_digest
    told = {"artefact": artefact, "template": template, "parameters": recorded, "withheld": withheld}
    found: dict[str, Any] = plain({**told, **_told(facts)})
    return found


def given_up(operation: Operation) -> Release:
    """The record of an operation that is given up: what was known when it began, and what its steps found."""
    request, results = operation.request, operation.results
    schema, step = results.get("schema") or {}, operation.current
    kinds = get_type_hints(Release)
    known: dict[str, Any] = {
        "artefact": ReleasedArtefact("", "", ""), "template": "", "parameters": {}, "withheld": (),
    }  # fmt: skip
    known |= {name: read(kinds[name], value) for name, value in request.known.items()}
    return Release(
        environment=operation.environment,
        operation=operation.id,
        verb=request.verb,
        outcome=Outcome.ABANDONED,
        who=request.who,
        started=operation.started,
        ended=operation.ended or operation.started,
        why=f"{operation.why}{f' at the step {step.name}' if step else ''}",
        schema_before=schema.get("before"),
        schema_after=schema.get("after"),
        accepts=schema.get("accepts"),
        change_set=(results.get("stack") or {}).get("change_set"),
        smoke=tuple(results.get("smoke") or ()),
        durations=operation.durations,
        version=results.get("version"),
        static=static.recorded(results),
        **known,
    )


def _told(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What whoever asked for the release told about it."""
    names = ("approved_by", "commit", "test", "source", "break_glass")
    told = {name: facts.get(name) for name in names}
    return {**told, "dirty": bool(facts.get("dirty")), "around": facts.get("around") or {}}


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
