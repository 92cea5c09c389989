"""docs/build.md names every setting of [app], and they are read as it shows them."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from gymops import config

PAGE = Path(__file__).parents[3] / "docs" / "build.md"


def test_every_setting_is_shown_and_read(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "gymops.toml"
    file.write_text(shown, encoding="utf-8")
    app = config.load(file, {}).app
    assert app is not None
    plain = config.App(packages=(), handler="")
    same = {
        one.name
        for one in fields(app)
        if getattr(app, one.name) == getattr(plain, one.name) and f"{one.name} = " not in shown
    }
    assert same == {"archive"}  # it stands in the place of most of them, and has its own lines
    assert 'archive = "' in PAGE.read_text(encoding="utf-8")
