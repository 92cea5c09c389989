"""checkov on every template that is shipped, as CloudFormation gets it: ``python -m tests.checkov PROGRAM``.

checkov exits with 0 where a template cannot be read or no check fits; so its report is read here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gymops.deploy.template import architecture, compose, names

FOLDER = Path("build/checkov")


def main(program: str, folder: Path = FOLDER) -> int:
    """Write the templates down, look through them, and say what was found; 1 where something was."""
    written = write(folder)
    found = look(program, folder)
    for line in complaints(found):
        print(line)
    summary = found["summary"]
    print(
        f"checkov: {written} templates, {summary['passed']} passed, {summary['failed']} failed,"
        f" {summary['skipped']} skipped with a reason"
    )
    return 1 if any(complaints(found)) else 0


def write(folder: Path) -> int:
    """Every stack's template into a folder of its own making; how many."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stacks = [(name, stack) for name in names() for stack in architecture(name).stacks]
    for name, stack in stacks:
        (folder / f"{name}-{stack.name}.json").write_text(compose(stack.template).text, encoding="utf-8")
    return len(stacks)


def look(program: str, folder: Path) -> dict[str, Any]:
    """checkov's report; offline, for it would fetch rules and upload what it found."""
    done = subprocess.run(
        [program, "--directory", str(folder), "--framework", "cloudformation", "--skip-download", "--compact",
         "--output", "json"], capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"checkov: no report: {(done.stderr or done.stdout).strip()[-2000:]}")
    return found if "summary" in found else {"summary": {"passed": 0, "failed": 0, "skipped": 0}}


def complaints(found: dict[str, Any]) -> Iterator[str]:
    """What is wrong, a line each."""
    results = found.get("results", {})
    for one in results.get("failed_checks", []):
        yield f"{one['file_path']}: {one['check_id']} {one['resource']}: {one['check_name']}"
    for file in results.get("parsing_errors", []):
        yield f"{file}: checkov cannot read it"
    for one in results.get("skipped_checks", []):
        reason = str(one["check_result"].get("suppress_comment") or "")
        if len(reason.split()) < 2:
            yield f"{one['file_path']}: {one['check_id']} {one['resource']}: skipped without a reason"
    if not found["summary"]["passed"]:
        yield "checkov: it checked nothing"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
