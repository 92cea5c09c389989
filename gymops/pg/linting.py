"""The SQL of revisions, looked through by squawk before it is applied anywhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gymops.errors import ConfigError, GateRefused
from gymops.pg import revisions
from gymops.pg.revisions import Revision

_OLDEST = "14"
"""The PostgreSQL that the SQL must suit."""

_TAKES_AWAY = ("ban-drop-column", "ban-drop-table")
"""What a contract is for; it is applied when nobody needs that any more."""


class UnsafeSql(GateRefused):
    """A revision's SQL would block or break the app that serves; nothing was released."""

    code: ClassVar[str] = "sql"


@dataclass(frozen=True)
class Finding:
    """A complaint."""

    revision: str
    line: int
    """Of the revision's SQL, from 1."""
    sql: str
    """That line."""
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.revision}: line {self.line} ({self.sql}): {self.rule}: {self.message}"


def passed(folder: Path, after: str | None, tell: Callable[[str], None]) -> None:
    """Look through the revisions behind ``after``, or all of them.

    Raises:
        UnsafeSql: there is a finding.
        SchemaError: the folder's revisions or their SQL cannot be read.
        ConfigError: squawk is not installed.
    """
    known = revisions.history(folder)
    ids = [one.id for one in known]
    new = known[ids.index(after) + 1 :] if after in ids else known
    findings = [finding for one in new for finding in lint(one, folder)]
    for finding in findings:
        tell(str(finding))
    if findings:
        rules = dict.fromkeys(finding.rule for finding in findings)
        takes = " what takes something away has the phase contract;" if rules.keys() & {*_TAKES_AWAY} else ""
        raise UnsafeSql(
            f"the SQL of {', '.join(dict.fromkeys(one.revision for one in findings))} is not safe to apply"
            f" while the app serves: {', '.join(rules)}",
            hint=f"mend it;{takes} what is meant so is said above it: -- squawk-ignore {next(iter(rules))}"
            " (https://squawkhq.com/docs/rules)",
        )  # fmt: skip
    if new:
        tell(f"the SQL of {', '.join(one.id for one in new)} was looked through")


def lint(revision: Revision, folder: Path | None = None) -> list[Finding]:
    """What squawk finds in a revision's SQL.

    Raises:
        ConfigError: it is not installed, or does not understand what it is asked.
    """
    sql = revisions.offline_sql(revision.id, folder)
    excluded = ["--exclude", ",".join(_TAKES_AWAY)] if revision.phase == "contract" else []
    done = subprocess.run(
        [_tool(), "--pg-version", _OLDEST, "--reporter", "json", "--stdin-filepath", "-", *excluded],
        input=sql, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise ConfigError(
            f"squawk says nothing of {revision.id}: {done.stderr.strip() or f'exit {done.returncode}'}",
            hint="pip install --upgrade squawk-cli",
        ) from None
    lines = sql.splitlines()
    return [
        Finding(
            revision.id,
            one["line"] + 1,
            lines[one["line"]].strip() if one["line"] < len(lines) else "",
            one["rule_name"],
            " ".join(filter(None, (one["message"], one["help"]))),
        )
        for one in found
    ]


def _tool() -> str:
    """squawk, beside this Python or on PATH."""
    here = sysconfig.get_path("scripts")
    found = shutil.which("squawk", path=here) or shutil.which("squawk")
    if found is None:
        raise ConfigError(
            "squawk is not installed, and no revision is released without it", hint="pip install squawk-cli"
        )
    return found
