"""What the doctor finds: each check on its own, at the same time as the others, with a time limit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gymops.errors import GymopsError

SECONDS = 45.0
"""How long a check may take."""


class Verdict(StrEnum):
    """What came of a check. What could not be told is never ok."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    """It will break a deploy."""
    UNTOLD = "could not tell"
    SKIPPED = "skipped"
    """There is nothing to tell on the local AWS."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    verdict: Verdict
    found: str
    fix: str = ""
    """The next command or step; empty where there is nothing to do."""
    check: str = ""
    """The check's name, filled in when it is done."""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "check": self.check, "verdict": self.verdict.value, "found": self.found, "fix": self.fix or None
        }  # fmt: skip


def ok(found: str) -> Finding:
    """As it should be."""
    return Finding(Verdict.OK, found)


def warning(found: str, fix: str) -> Finding:
    """It will not break a deploy by itself."""
    return Finding(Verdict.WARNING, found, fix)


def failed(found: str, fix: str) -> Finding:
    """It will."""
    return Finding(Verdict.FAILED, found, fix)


def untold(found: str, fix: str) -> Finding:
    """Nobody knows."""
    return Finding(Verdict.UNTOLD, found, fix)


def skipped(found: str) -> Finding:
    """There is nothing to tell here."""
    return Finding(Verdict.SKIPPED, found)


@dataclass(frozen=True)
class Check:
    """Something to look at."""

    name: str
    look: Callable[[], Iterable[Finding]]


@dataclass(frozen=True)
class Examination:
    """All findings, in the order of the checks."""

    environment: str
    findings: tuple[Finding, ...]

    @property
    def untold(self) -> tuple[str, ...]:
        """The checks of which something could not be told."""
        return tuple(dict.fromkeys(one.check for one in self.findings if one.verdict is Verdict.UNTOLD))

    @property
    def exit_code(self) -> int:
        """3: something will break a deploy; 1: something could not be told; else 0."""
        if any(one.verdict is Verdict.FAILED for one in self.findings):
            return 3
        return 1 if self.untold else 0

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "environment": self.environment,
            "ok": self.exit_code == 0,
            "could_not_tell": list(self.untold),
            "findings": [one.as_dict() for one in self.findings],
        }


def examine(environment: str, checks: Sequence[Check], *, seconds: float = SECONDS) -> Examination:
    """Do all checks at once. One that fails, or does not end in time, hides no other.

    What does not end is left behind: it only reads, and ends with the process.
    """
    threads, results = list[threading.Thread](), list[list[Finding]]()
    for check in checks:
        found = list[Finding]()
        results.append(found)
        threads.append(threading.Thread(target=_look, args=(check, found), daemon=True))
        threads[-1].start()
    deadline = threading.Event()
    timer = threading.Timer(seconds, deadline.set)
    timer.daemon = True
    timer.start()
    findings = list[Finding]()
    for check, thread, found in zip(checks, threads, results, strict=True):
        while thread.is_alive() and not deadline.is_set():
            thread.join(0.1)
        there = list(found)
        if thread.is_alive():
            there.append(
                untold(
                    f"no answer within {seconds:.0f} s",
                    f"gymops doctor {environment} again; then the network",
                )
            )
        findings += [Finding(one.verdict, one.found, one.fix, check.name) for one in there]
    timer.cancel()
    return Examination(environment, tuple(findings))


def _look(check: Check, found: list[Finding]) -> None:
    """What was found before an error stays found."""
    try:
        for one in check.look():
            found.append(one)
    except GymopsError as error:
        found.append(untold(error.message, fix(error)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks are not hidden by it
        found.append(untold(f"internal error: {type(error).__name__}: {error}", "report it with this line"))


_FIXES = {
    "Unreachable": "check the network, the proxy and the region's name; nothing was told by AWS",
    "NoCredentials": "aws configure sso, or `profile` in gymops.toml, or AWS_PROFILE",
}


def fix(error: GymopsError) -> str:
    """What to do about an answer that did not come, from where the doctor is: a desk, and no function."""
    return _FIXES.get(getattr(error, "reason", ""), error.hint or "run the same again")
