"""Promoting by digest: what somebody approved, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gymops.deploy.verbs.failures import NotTested
from gymops.deploy.verbs.promote import promote
from tests.unit.deploy.verbs.releasing import OWNER, release
from tests.unit.deploy.verbs.world import World


def test_another_digest_than_the_approved_one_is_not_promoted(tmp_path: Path) -> None:
    staging = World("staging")
    prod = World("prod", clock=staging.clock)
    approved = release(staging, tmp_path, "one").artefact.digest
    later = release(staging, tmp_path, "two").artefact.digest
    with pytest.raises(NotTested, match=f"staging runs {later}, and {approved} is to be promoted"):
        promote(staging.site(), prod.site(), OWNER, token="t", approved_by="olu", digest=approved)
    assert not prod.effects
    done = promote(staging.site(), prod.site(), OWNER, token="t", approved_by="olu", digest=later)
    assert done.artefact.digest == later
