"""The note of a restore that is on its way: it stays where there is something to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from gymops.backup import unfinished
from gymops.backup.evidence import Result
from gymops.backup.restored import NotSwitchedBack, Restoration, SwitchedBack
from gymops.errors import GymopsError
from gymops.pg.embedded import Server
from tests.integration.backup.conftest import vault_in
from tests.unit.clocks import START


@pytest.mark.parametrize(("error", "stays"), [(SwitchedBack, False), (NotSwitchedBack, True)])
def test_it_stays_where_what_was_begun_is_not_undone(
    error: type[GymopsError], stays: bool, tmp_path: Path
) -> None:
    home, vault = tmp_path / "restored", vault_in(tmp_path, "shop")
    Server(home, Path()).data.mkdir(parents=True)
    done = Restoration(
        "x", "shop", None, START, str(home), Result.PASSED, 1, None, None, None, None, START, START, {}
    )
    with pytest.raises(error), unfinished.noted(home, home, vault, done, None):
        raise error("the server does not answer")
    assert [one.done for one in unfinished.find(vault, [home])] == [done] * stays
