"""make checkov fails where it should; checkov itself runs there, in an environment of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gymops.deploy.template import architecture, names
from tests import checkov

PASSED: dict[str, Any] = {"summary": {"passed": 5, "failed": 0, "skipped": 1}, "results": {}}
ABOUT = {"file_path": "/app.json", "check_id": "CKV_AWS_1", "resource": "X.Y", "check_name": "Ensure it"}


def program(folder: Path, output: str, code: int = 0) -> str:
    """Something that reports this, whatever it is asked."""
    file = folder / "checkov"
    file.write_text(f"#!{sys.executable}\nimport sys\nprint({output!r})\nsys.exit({code})\n")
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize(
    ("report", "says"),
    [
        ({**PASSED, "results": {"failed_checks": [ABOUT]}}, "/app.json: CKV_AWS_1 X.Y: Ensure it"),
        ({**PASSED, "results": {"parsing_errors": ["/app.json"]}}, "/app.json: checkov cannot read it"),
        ({**PASSED, "summary": {"passed": 0, "failed": 0, "skipped": 0}}, "it checked nothing"),
        ({"passed": 0, "failed": 0}, "it checked nothing"),
        (
            {**PASSED, "results": {"skipped_checks": [{**ABOUT, "check_result": {"suppress_comment": ""}}]}},
            "skipped without a reason",
        ),
    ],
)
def test_what_is_wrong_is_told_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], report: dict[str, Any], says: str
) -> None:
    # checkov's own exit code is 0 for most of these
    assert checkov.main(program(tmp_path, json.dumps(report)), tmp_path / "templates") == 1
    assert says in capsys.readouterr().out


def test_every_stack_of_every_architecture_is_looked_through(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "stale.json").touch()
    assert checkov.main(program(tmp_path, json.dumps(PASSED)), tmp_path / "templates") == 0
    every = {f"{name}-{stack.name}.json" for name in names() for stack in architecture(name).stacks}
    assert {file.name for file in (tmp_path / "templates").iterdir()} == every


def test_no_report_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no report: it broke"):
        checkov.main(program(tmp_path, "it broke", 1), tmp_path / "templates")
