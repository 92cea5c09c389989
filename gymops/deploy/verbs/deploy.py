"""``gymops deploy``: what was built here, to an environment that nothing is promoted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gymops.deploy.artefact import Artefact
from gymops.deploy.environment import Deployment
from gymops.deploy.release.ledger import Release, last_good
from gymops.deploy.release.lock import Owner
from gymops.deploy.release.plan import Context, Request
from gymops.deploy.static import listed
from gymops.deploy.template import compose
from gymops.deploy.verbs import images, needs, static
from gymops.deploy.verbs.run import carry, foundation
from gymops.deploy.verbs.site import Site
from gymops.deploy.verbs.steps import Steps
from gymops.deploy.verbs.wanted import Wanted, around, of_artefact, of_release, upload
from gymops.errors import GateRefused


@dataclass(frozen=True)
class Built:
    """An artefact, the folder it lies in, and what its tests came to."""

    artefact: Artefact
    folder: Path
    test: Mapping[str, Any] | None = None


def gate(deployment: Deployment, break_glass: str | None) -> None:
    """An environment with a predecessor gets what was tested there, and nothing else.

    Raises:
        GateRefused: it has one, and no reason was given to set that aside.
    """
    name, after = deployment.name, deployment.after
    if after and break_glass is None:
        raise GateRefused(
            f"{name} comes after {after}: it gets what was tested there",
            hint=f"gymops promote {after} {name}; in need gymops deploy {name} --break-glass REASON,"
            " which is recorded",
        )


def deploy(site: Site, built: Built, owner: Owner, *, token: str, break_glass: str | None = None) -> Release:
    """Release what was built.

    Raises:
        GateRefused: the environment has a predecessor; or data would be lost.
        LockHeld, Unfinished: somebody else is at it.
        GymopsError: it failed; its exit code says whether it was rolled back.
    """
    gate(site.deployment, break_glass)
    template = compose(site.deployment.architecture.stack("app").template)
    needs.check(site.deployment, template, built.artefact.kind, static=listed(built.artefact) is not None)
    bucket = foundation(site, token)
    files, image = site.files(bucket), built.artefact.kind == "image"
    wanted = of_artefact(built.artefact, bucket, images.repository(site) if image else "", template)
    images.ready(site, bucket, wanted)
    facts = {
        "commit": built.artefact.commit,
        "dirty": built.artefact.dirty,
        "test": built.test,
        "break_glass": break_glass,
        "before": before(site, bucket),
        "around": around(site.deployment),
    }
    steps = Steps(site, bucket, wanted, facts)

    def bring(_: Context) -> None:
        if image:
            images.push(site, wanted.artefact.uri, built.folder)
            static.upload(built.artefact, built.folder, files)
        else:
            upload(built.artefact, built.folder, files)

    plan = steps.plan(bring)
    request = Request(
        verb="deploy",
        command=f"gymops deploy {site.deployment.name}",
        who=site.who,
        parameters={**told(site, wanted), "around": facts["around"]},
        artefact=built.artefact.digest,
    )
    return carry(site, bucket, request, plan, steps, owner)


def before(site: Site, bucket: str) -> Any:
    """How to find what the last good release was; None if there is none."""
    good = last_good(site.ledger(bucket).releases())
    if good is None:
        return None
    return lambda: of_release(good, site.files(bucket), site.deployment.parameters)


def told(site: Site, wanted: Wanted) -> dict[str, Any]:
    """What makes a request this one and no other."""
    from gymops.deploy.artefact import canonical, sha256

    return {
        "template": wanted.template_digest,
        "parameters": sha256(canonical({**site.deployment.parameters, **wanted.parameters})),
        **({"static": wanted.artefact.static} if wanted.artefact.static else {}),
    }
