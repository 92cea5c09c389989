"""What a check found: data that a command renders; nothing here prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what is true of it, or what is wrong and how to mend it."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Report:
    """All that was looked at, in the order it was."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    def as_dict(self) -> dict[str, object]:
        """For ``--json``: ``{"ok", "checks": [{"name", "ok", "detail"}]}``."""
        checks = [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in self.checks]
        return {"ok": self.ok, "checks": checks}
