"""The schema in a release: it is added to before the code that needs it serves, and never taken back."""

from __future__ import annotations

from typing import Any

from gymops.deploy.release.plan import Context
from gymops.deploy.verbs.app import App
from gymops.deploy.verbs.failures import WorkFailed
from gymops.deploy.verbs.site import Site


def expand(site: Site, app: App, context: Context, tested: str | None) -> dict[str, Any] | None:
    """Add what the release needs, by its own one-shot function, directly on the instance.

    ``tested`` is the revision that a promoted release was tested with.

    Raises:
        WorkFailed: a revision could not be applied, or leads elsewhere than where it was tested.
    """
    function = app.outputs().get("DatabaseFunctionName")
    if not function:
        return None
    before = app.work(function, {"do": "schema-current"})
    if before["pending"]:
        app.snapshot(context)
    after = app.work(function, {"do": "schema-upgrade", "phase": "expand"})
    for revision in after["applied"]:
        site.talk.say(f"schema revision {revision} applied")
    accepts = before["accepts"]["highest"]
    # A rollback leaves the database ahead of the code, by revisions that only add.
    reached = accepts if before["newer"] else after["current"]
    if tested and reached != tested:
        raise WorkFailed(
            f"the schema is at {reached}, and the release was tested with {tested}",
            hint=f"bring {site.deployment.after} to the same revision, test there, promote again",
        )
    told = {"before": before["current"], "after": reached, "applied": after["applied"]}
    return {**told, "accepts": accepts}
