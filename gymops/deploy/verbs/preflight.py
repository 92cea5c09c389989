"""Before a rollback changes anything: what it returns to is still there, and AWS still runs it."""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from gymops.deploy.release.ledger import Release
from gymops.deploy.verbs import images, static
from gymops.deploy.verbs.failures import NothingToReturnTo
from gymops.deploy.verbs.site import Site
from gymops.deploy.verbs.wanted import Wanted


def returnable(site: Site, bucket: str, chosen: Release, wanted: Wanted) -> None:
    """Refuse what could not be brought back to the end.

    Raises:
        NothingToReturnTo: its image or a file of it is gone, or its runtime is taken no more.
        GateRefused: as ``images.ready``.
    """
    name = site.deployment.name
    commit = f"; the code of then is in its commit, {chosen.commit}" if chosen.commit else ""
    hint = f"gymops releases {name} lists others{commit}"
    if gone := _gone(site, bucket, wanted):
        raise NothingToReturnTo(f"release {chosen.number} is gone: {gone} is not there any more", hint=hint)
    runtime = "" if wanted.artefact.kind == "image" else wanted.parameters.get("Runtime", "")
    ends = blocked(runtime)
    if ends and ends <= site.clock.now().date():
        raise NothingToReturnTo(
            f"release {chosen.number} runs on {runtime}, which Lambda takes no more since {ends}", hint=hint
        )
    images.ready(site, bucket, wanted)


def blocked(runtime: str) -> date | None:
    """The day from which Lambda changes no function of this runtime any more; None if nobody says."""
    ends = _runtimes().get(runtime, {}).get("update-block")
    return date.fromisoformat(ends) if ends else None


def _gone(site: Site, bucket: str, wanted: Wanted) -> str | None:
    if wanted.artefact.kind == "image" and not images.present(site, wanted.artefact.uri):
        return wanted.artefact.uri
    files = site.files(bucket)
    code = filter(None, (wanted.parameters.get(name) for name in ("CodeKey", "LayerKey")))
    keys = chain(code, static.keys(wanted.artefact.static, files))
    return next((f"s3://{bucket}/{key}" for key in keys if not files.has(key)), None)


@cache
def _runtimes() -> dict[str, Any]:
    """As cfn-lint knows them; importing it takes a second, and is not needed to read its file."""
    found = find_spec("cfnlint")
    if found is None or found.origin is None:
        return {}
    file = Path(found.origin).parent / "data" / "AdditionalSpecs" / "LmbdRuntimeLifecycle.json"
    try:
        runtimes: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return runtimes
