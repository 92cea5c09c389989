"""``gymops rollback``: the code, the template and the parameters of a recorded release, as a new release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gymops.deploy.release.ledger import Release, Source, last_good, previous, targets
from gymops.deploy.release.lock import Owner
from gymops.deploy.release.plan import Request
from gymops.deploy.verbs import schema
from gymops.deploy.verbs.app import App
from gymops.deploy.verbs.deploy import before, told
from gymops.deploy.verbs.failures import Declined, NothingToReturnTo
from gymops.deploy.verbs.preflight import returnable
from gymops.deploy.verbs.run import carry, left
from gymops.deploy.verbs.site import Site
from gymops.deploy.verbs.steps import Steps
from gymops.deploy.verbs.wanted import Wanted, of_release

VERB = "rollback"


def choose(releases: Sequence[Release], environment: str, number: int | None = None) -> Release:
    """The release to return to: the one before what runs, or the one of this number.

    Raises:
        NothingToReturnTo: there is none, or that one never ran well, or runs now.
    """
    possible = targets(releases)
    hint = f"gymops releases {environment} lists them"
    if number is None:
        found = previous(releases)
        if found is None:
            raise NothingToReturnTo(f"{environment} has no earlier release to return to", hint=hint)
        return found
    for release in possible:
        if release.number == number:
            return release
    running = last_good(releases)
    same = [one.number for one in releases if running and one.good and one.content == running.content]
    if running and number in same:
        as_it = "" if number == running.number else f", as release {running.number} is"
        raise NothingToReturnTo(f"release {number} is what runs{as_it}", hint=hint)
    raise NothingToReturnTo(f"release {number} cannot be returned to: it is not there, or failed", hint=hint)


def begun(site: Site, bucket: str, number: int | None) -> int | None:
    """Where a rollback goes that was begun, and nobody saw the end of; not one to another number."""
    found = left(site, bucket, VERB)
    back = found.request.parameters.get("release") if found else None
    return back if isinstance(back, int) and number in (None, back) else None


@dataclass(frozen=True)
class Found:
    """Where a rollback goes."""

    bucket: str
    releases: Sequence[Release]
    chosen: Release
    begun: bool
    """It was begun, and nobody saw the end of it."""

    def wanted(self, site: Site) -> Wanted:
        """What it brings."""
        return of_release(self.chosen, site.files(self.bucket), site.deployment.parameters)


def found(site: Site, number: int | None) -> Found:
    """Where a rollback to this number, or to what ran before, goes.

    Raises:
        NothingToReturnTo: there is none.
    """
    name, bucket = site.deployment.name, site.bucket()
    if bucket is None:
        raise NothingToReturnTo(f"nothing was released to {name} yet", hint=site.deployment.released_by)
    releases, back = site.ledger(bucket).releases(), begun(site, bucket, number)
    chosen = choose(releases, name, number) if back is None else site.ledger(bucket).get(back)
    return Found(bucket, releases, chosen, back is not None)


def rollback(site: Site, owner: Owner, *, number: int | None = None) -> Release:
    """Return to a recorded release: the alias first, then the stack. The schema stays as it is.

    Raises:
        NothingToReturnTo: there is none, or its code does not accept the present schema.
        Declined: the person at the terminal said no.
        GymopsError: as ``deploy``.
    """
    name, back = site.deployment.name, found(site, number)
    bucket, chosen, releases = back.bucket, back.chosen, back.releases
    if site.runs(site.outputs("app")) is None:
        hint = f"{site.deployment.released_by} makes it"
        raise NothingToReturnTo(f"the stack of {name} is not there", hint=hint)
    applied = schema.fit(site, App(site, bucket), chosen, releases)
    wanted = back.wanted(site)
    returnable(site, bucket, chosen, wanted)
    if not back.begun and not site.talk.ask(f"Return {name} to release {chosen.number}?"):
        raise Declined(f"{name} stays as it is", hint="nothing was changed; run it again when ready")
    running = last_good(releases)
    facts = {
        "commit": chosen.commit,
        "dirty": chosen.dirty,
        "source": Source(name, chosen.number),
        "before": before(site, bucket),
        "schema_now": running.schema_after if running else None,
        "accepts": chosen.accepts,
        "around": running.around if running else {},
        "waiting": [one for one in chosen.waiting if one not in (applied or ())],
    }
    steps = Steps(site, bucket, wanted, facts)
    request = Request(
        verb=VERB,
        command=f"gymops rollback {name}{f' {number}' if number else ''}",
        who=site.who,
        parameters={**told(site, wanted), "release": chosen.number},
        artefact=chosen.artefact.digest,
    )
    return carry(site, bucket, request, steps.return_plan(chosen.version), steps, owner)
