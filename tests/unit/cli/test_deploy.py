"""``gymops deploy`` before it builds anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from gymops.cli import deploy, root
from gymops.errors import ConfigError


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_template_for_another_kind_of_app_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gymops.toml").write_text(
        'architecture = "lifestyle-phased"\n[environments.dev]\nprofile = "nobody"\n', encoding="utf-8"
    )
    monkeypatch.setattr(deploy, "make", lambda *_: pytest.fail("it was built"))
    done = CliRunner().invoke(root, ["deploy", "dev", *more])
    assert isinstance(done.exception, ConfigError)
    assert done.exception.message.endswith("template.yaml: there is no parameter CodeBucket")
    assert 'kind = "image" in [app] of gymops.toml' in str(done.exception.hint)
