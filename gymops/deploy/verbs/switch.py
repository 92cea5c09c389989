"""``gymops restore --switch``: the environment on a restored database, as a release like any other.

What runs stays what it is. The two databases change names, and the stack reads the one that has the name
now: its password's secret and its resource id are others. Then the version is asked, serves, and what is in
the database is sealed in its place. What fails puts the one before back; neither is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gymops.deploy.release.journal import Journal, Unfinished
from gymops.deploy.release.ledger import Release, last_good
from gymops.deploy.release.lock import Owner
from gymops.deploy.release.plan import Context, Outcome, Plan, Request, Step
from gymops.deploy.stack.stacks import Deployed
from gymops.deploy.verbs.app import App
from gymops.deploy.verbs.deploy import told
from gymops.deploy.verbs.run import carry, left
from gymops.deploy.verbs.site import Site
from gymops.deploy.verbs.steps import Steps
from gymops.deploy.verbs.wanted import LIVE_VERSION, Wanted, of_release
from gymops.errors import GateRefused

VERB = "restore"
RESTORED = "DatabaseRestored"
"""The parameter by whose change the stack reads its database anew; no part of what is released."""


class Switching(Protocol):
    """Two databases that change places. Each of these goes on from wherever it was left."""

    def fronts(self) -> Sequence[str]:
        """What stands before the environment's, and must be pointed anew."""

    def forth(self, fronts: Sequence[str]) -> None:
        """The restored one takes the place."""

    def back(self, fronts: Sequence[str]) -> None:
        """As it was."""

    def goes_on(self) -> Mapping[str, Any]:
        """Prove it in its place, and seal that; what was proved."""


@dataclass(frozen=True)
class Ready:
    """An environment that can be switched."""

    bucket: str
    running: Release
    wanted: Wanted


def ready(site: Site) -> Ready:
    """What runs, which a switch leaves as it is.

    Raises:
        GateRefused: nothing runs; a release is unfinished; what runs does not read its database anew.
    """
    name, bucket = site.deployment.name, site.bucket()
    running = last_good(site.ledger(bucket).releases()) if bucket else None
    if bucket is None or running is None or site.runs(site.outputs("app")) is None:
        raise GateRefused(f"nothing runs in {name}", hint=site.deployment.released_by)
    unfinished = Journal(site.objects(bucket), name, site.clock).unfinished()
    if unfinished and unfinished.request.verb != VERB:
        raise Unfinished(unfinished)
    wanted = of_release(running, site.files(bucket), site.deployment.parameters)
    if RESTORED not in wanted.template.parameters:
        raise GateRefused(
            f"the template of release {running.number} has no {RESTORED}: its functions would not hear of it",
            hint=f"{site.deployment.released_by}, then run the same again",
        )
    return Ready(bucket, running, wanted)


def begun(site: Site) -> Mapping[str, Any] | None:
    """The change of places that was begun, and nobody saw the end of."""
    bucket = site.bucket()
    found = left(site, bucket, VERB) if bucket else None
    return found.request.parameters.get("change") if found else None


def switch(
    site: Site, owner: Owner, switching: Switching, change: Mapping[str, Any], restore: str, command: str
) -> Release:
    """Let the two change places, under the environment's lock; the release as it was recorded.

    Raises:
        LockHeld, Unfinished: somebody else is at it.
        StepRolledBack: it failed, and the one before is back in its place.
        StepRollbackFailed: and that failed too.
        GymopsError: it failed before anything was changed.
    """
    found = ready(site)
    bucket, running, wanted = found.bucket, found.running, found.wanted
    facts = {
        "commit": running.commit, "dirty": running.dirty, "source": running.source, "restore": dict(change),
        "schema_now": running.schema_after, "accepts": running.accepts, "waiting": running.waiting,
    }  # fmt: skip
    steps = Steps(site, bucket, wanted, facts)
    around = _Around(site, App(site, bucket), switching, wanted, restore)
    plan = Plan(
        steps=(
            Step("fronts", lambda _: list(switching.fronts())),
            Step("places", around.places),
            Step("stack", around.stack),
            Step("schema", steps.schema),
            Step("version", steps.version),
            Step("smoke", steps.smoke),
            Step("traffic", steps.traffic),
            Step("settle", steps.settle),
            Step("seal", lambda _: dict(switching.goes_on())),
            Step("record", steps.record),
        ),
        recovery=(Step("places-back", around.back), Step("record-failure", steps.record)),
    )
    request = Request(
        verb=VERB,
        command=command,
        who=site.who,
        parameters={**told(site, wanted), "change": dict(change)},
        artefact=running.artefact.digest,
    )
    return carry(site, bucket, request, plan, steps, owner)


@dataclass(frozen=True)
class _Around:
    """What a switch does around the steps that it has in common with every release."""

    site: Site
    app: App
    switching: Switching
    wanted: Wanted
    restore: str

    def places(self, context: Context) -> dict[str, str]:
        """The restored one takes the place; which version served until then is kept for the way back."""
        serving = self.app.serving()
        self.switching.forth(context.results["fronts"])
        return {"serving": serving}

    def stack(self, context: Context) -> dict[str, Any]:
        """The same template and parameters, on the database that has the name now."""
        serving = context.results["places"]["serving"]
        done = self._change(self.restore, serving, context)
        return {"changed": done.changed, "change_set": done.change_set or None, "serving": serving}

    def back(self, context: Context) -> str | None:
        """The one before in its place, and the stack as it was, reading it anew."""
        if "fronts" not in context.results:
            return None
        self.switching.back(context.results["fronts"])
        self.site.talk.say("the database before is back in its place")
        if places := context.results.get("places"):
            serving = places["serving"]
            self.app.serve(serving)
            self._change(f"{self.restore}-back", serving, context)
        return Outcome.ROLLED_BACK

    def _change(self, restored: str, serving: str, context: Context) -> Deployed:
        given = {**self.wanted.parameters, RESTORED: restored, LIVE_VERSION: serving}
        return self.app.change(self.wanted.template, given, context)
