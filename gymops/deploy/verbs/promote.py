"""``gymops promote``: the very artefact and template that were tested in one environment, to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from gymops.deploy.release.ledger import Ledger, Release, Source, last_good
from gymops.deploy.release.lock import Owner
from gymops.deploy.release.plan import Context, Request
from gymops.deploy.verbs import images, needs, static
from gymops.deploy.verbs.deploy import before, told
from gymops.deploy.verbs.drift import drift
from gymops.deploy.verbs.failures import NotTested
from gymops.deploy.verbs.run import carry, foundation, left
from gymops.deploy.verbs.site import Site
from gymops.deploy.verbs.steps import Steps
from gymops.deploy.verbs.wanted import Wanted, around, copy, of_release
from gymops.errors import ConfigError, GateRefused

VERB = "promote"

_BROUGHT = ("Architecture", "ImageUri", "CodeBucket", "CodeKey", "LayerKey", "Runtime", "Handler")
"""The parameters that belong to the artefact; all others are each environment's own."""


@dataclass(frozen=True)
class Tested:
    """A release of the environment before that may go on to the next."""

    release: Release
    bucket: str


def tested(source: Site, target: Site, number: int | None) -> Tested:
    """What may be promoted: the last good release, or the good one of this number, if its smoke test passed,
    it is not too old, and the templates around it are here as they were there.

    Raises:
        NotTested: there is none, or the one that runs is not good enough.
    """
    name, days = source.deployment.name, target.deployment.within_days
    hint = f"gymops deploy {name}, then promote again"
    bucket = source.bucket()
    releases = Ledger(source.objects(bucket), name).releases() if bucket else []
    good = [one for one in releases if one.good and one.number == number]
    release = last_good(releases) if number is None else next(iter(good), None)
    if bucket is None or release is None:
        raise NotTested(f"nothing was released to {name} yet", hint=hint)
    if not release.smoke or not all(one.get("good") for one in release.smoke):
        raise NotTested(f"release {release.number} of {name} passed no smoke test", hint=hint)
    age = source.clock.now() - release.ended
    if age > timedelta(days=days):
        raise NotTested(
            f"release {release.number} of {name} is {age.days} days old, and {days} are allowed",
            hint=f"{hint}; or change within_days of [environments.{target.deployment.name}] in gymops.toml",
        )
    now = around(target.deployment)
    if other := [one for one, digest in release.around.items() if now.get(one, digest) != digest]:
        commit = f"check {release.commit} out" if release.commit else "take the templates of then"
        raise NotTested(
            f"release {release.number} of {name} was tested with other templates than these of"
            f" {', '.join(other)}",
            hint=f"{hint}; or {commit}",
        )
    return Tested(release, bucket)


def brought(source: Site, found: Tested, bucket: str, repository: str) -> Wanted:
    """What a promotion brings: the release's artefact, as it will lie in this bucket or repository, and its
    template.
    """
    was = of_release(found.release, source.files(found.bucket), source.deployment.parameters)
    parameters = {name: value for name, value in was.parameters.items() if name in _BROUGHT}
    artefact = was.artefact
    if parameters.get("CodeBucket"):
        parameters["CodeBucket"] = bucket
        artefact = replace(artefact, uri=f"s3://{bucket}/{parameters['CodeKey']}")
    if artefact.kind == "image":
        parameters["ImageUri"] = images.named(repository, was.code)
        artefact = replace(artefact, uri=parameters["ImageUri"])
    return Wanted(artefact, was.code, was.template, parameters)


def follows(source: Site, target: Site) -> None:
    """What was tested in the one may go on to the other.

    Raises:
        ConfigError: it is not so written.
    """
    name, after = target.deployment.name, source.deployment.name
    if target.deployment.after != after:
        raise ConfigError(
            f"{name} does not come after {after}",
            hint=f'after = "{after}" in [environments.{name}] of gymops.toml',
        )


def begun(target: Site) -> int | None:
    """The release whose promotion was begun, and nobody saw the end of."""
    bucket = target.bucket()
    found = left(target, bucket, VERB) if bucket else None
    number = found.request.parameters.get("source") if found else None
    return number if isinstance(number, int) else None


def undrifted(source: Site) -> None:
    """What was tested ran on what the templates say, and not on what somebody changed by hand; it still runs.

    Raises:
        GateRefused: something was.
        GymopsError: it cannot be told.
    """
    found, name = drift(source), source.deployment.name
    if found.found:
        changed = [one.name for stack in found.stacks for one in stack.resources]
        raise GateRefused(
            f"{name} was changed since it was tested: {', '.join((*changed, *found.serving))}",
            hint=f"gymops drift {name} shows it; set it right (gymops deploy {name}), or promote with"
            " --accept-drift REASON, which is recorded",
        )


def approved(source: Site, target: Site, digest: str | None, accept_drift: str | None) -> Tested:
    """What runs, tested, in the one, and was approved for the other.

    Raises:
        NotTested, GateRefused: see ``promote``.
    """
    after = source.deployment.name
    found = tested(source, target, begun(target))
    if digest not in (None, found.release.artefact.digest):  # approved was that one, and no other
        raise NotTested(
            f"{after} runs {found.release.artefact.digest}, and {digest} is to be promoted",
            hint=f"gymops deploy {after} with that code, then promote again",
        )
    if accept_drift is None:
        undrifted(source)
    return found


def _facts(source: Site, target: Site, found: Tested, bucket: str) -> dict[str, Any]:
    """What is recorded of where it comes from."""
    return {
        "commit": found.release.commit,
        "dirty": found.release.dirty,
        "test": found.release.test,
        "schema": found.release.schema_after,
        "source": Source(source.deployment.name, found.release.number),
        "before": before(target, bucket),
        "around": around(target.deployment),
    }


def promote(
    source: Site,
    target: Site,
    owner: Owner,
    *,
    token: str,
    approved_by: str,
    accept_drift: str | None = None,
    digest: str | None = None,
) -> Release:
    """Release to ``target`` what runs, tested, in ``source``; ``accept_drift``: why drift there may be.

    Raises:
        ConfigError: nothing is promoted from the one to the other.
        NotTested: it was not tested there.
        GateRefused: it drifted there since.
        GymopsError: as ``deploy``.
    """
    follows(source, target)
    found = approved(source, target, digest, accept_drift)
    bucket = foundation(target, token)
    there, here = source.files(found.bucket), target.files(bucket)
    image = found.release.artefact.kind == "image"
    wanted = brought(source, found, bucket, images.repository(target) if image else "")
    listed = wanted.artefact.static is not None
    needs.check(target.deployment, wanted.template, wanted.artefact.kind, static=listed)
    images.ready(target, bucket, wanted)
    facts = {
        **_facts(source, target, found, bucket),
        "approved_by": approved_by,
        "break_glass": f"drift accepted: {accept_drift}" if accept_drift else None,
    }
    steps = Steps(target, bucket, wanted, facts)

    def bring(_: Context) -> None:
        if image:
            images.copy(source, target, found.release.artefact.uri, wanted.artefact.uri)
        else:
            copy(wanted, there, here)
        static.copy(wanted.artefact.static, there, here)

    plan = steps.plan(bring)
    request = Request(
        verb=VERB,
        command=f"gymops promote {source.deployment.name} {target.deployment.name}",
        who=target.who,
        parameters={**told(target, wanted), "around": facts["around"], "source": found.release.number},
        artefact=wanted.artefact.digest,
    )
    return carry(target, bucket, request, plan, steps, owner)
