"""What looks like a secret does not get in: an artefact is copied, kept for years, and read by many."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from gymops.deploy.build.entry import Entry
from gymops.deploy.build.patterns import matches
from gymops.errors import GateRefused

_NAMES = (
    "**/.env", "**/.env.*", "**/*.env", "**/.envrc", "**/.netrc", "**/.pgpass", "**/.npmrc", "**/.pypirc",
    "**/.htpasswd", "**/.git-credentials", "**/id_rsa*", "**/id_dsa*", "**/id_ecdsa*", "**/id_ed25519*",
    "**/*.pem", "**/*.key", "**/*.p12", "**/*.pfx", "**/*.jks", "**/*.keystore", "**/*.kdbx", "**/*.ppk",
    "**/credentials", "**/credentials.json", "**/service-account*.json", "**/terraform.tfstate*",
    "**/*.tfvars", "**/.aws/**", "**/.ssh/**", "**/.docker/**",
)  # fmt: skip

_KEYS = {
    "a private key": rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----",
    "an AWS access key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})",
    "a Slack token": rb"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "a Slack webhook": rb"hooks\.slack\.com/services/T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]{16,}",
    "a key of a model's API": rb"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}",
    "a Google API key": rb"\bAIza[0-9A-Za-z_-]{35}\b",
    "a Stripe key": rb"\b[rs]k_live_[0-9A-Za-z]{16,}",
    "a token of npm or PyPI": rb"\b(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{60,})",
    "a password in a URL": rb"\b[a-z][a-z0-9+]{1,20}://[^\s:/@\"'{}$<>]{1,64}:[^\s:/@\"'{}$<>%*]{6,}@[A-Za-z0-9]",
}
_PATTERNS = {what: re.compile(pattern) for what, pattern in _KEYS.items()}
_ASSIGNED = re.compile(
    rb"(?i)(?:password|passwd|passcode|secret|token|api_?key|access_?key|private_?key)[\w-]{0,20}[\"']?"
    rb"\s*[:=]\s*[\"']([A-Za-z0-9+/=_\-.!@#$%^&*]{16,})[\"']"
)
_EXAMPLES = re.compile(
    rb"(?i)example|changeme|placeholder|your[_-]|xxxx|\*\*\*\*|s3cret|:(?:password|passwd|secret)@"
)
_RANDOM = 3.6
"""Bits per character above which a text was made by a generator. English words have about 3."""
_TEXT = 2_000_000
"""Bytes of a file that are looked at."""


def refuse(entries: Sequence[Entry], allowed: Sequence[str] = ()) -> None:
    """Look at every file of the application, by name and by content.

    Raises:
        GateRefused: one looks like a secret. Its file and line are named, what it says is not repeated.
    """
    for entry in entries:
        if matches(entry.path, allowed):
            continue
        if matches(entry.path, _NAMES):
            raise _refusal(entry.path, "by its name this file holds secrets")
        data = entry.read()[:_TEXT]
        if b"\0" in data[:8192]:
            continue
        if found := _inside(data):
            what, position = found
            line = data.count(b"\n", 0, position) + 1
            raise _refusal(f"{entry.path}:{line}", f"{what} is written here")


def _inside(data: bytes) -> tuple[str, int] | None:
    for what, pattern in _PATTERNS.items():
        for match in pattern.finditer(data):
            if not _EXAMPLES.search(match[0]):
                return what, match.start()
    for match in _ASSIGNED.finditer(data):
        if not _EXAMPLES.search(match[1]) and _looks_made(match[1]):
            return "what looks like a secret", match.start(1)
    return None


def looks_secret(text: str) -> bool:
    """Whether a key, a token or a password is written in this text."""
    return _inside(text.encode()) is not None


def _looks_made(text: bytes) -> bool:
    """Letters and digits mixed at random, and no name of something."""
    kinds = sum(bool(re.search(kind, text)) for kind in (rb"[a-z]", rb"[A-Z]", rb"[0-9]"))
    return kinds >= 2 and re.search(rb"[0-9]", text) is not None and entropy(text) > _RANDOM


def entropy(text: bytes) -> float:
    """Bits per character, by the frequencies of its own characters."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def _refusal(where: str, what: str) -> GateRefused:
    return GateRefused(
        f"{where}: {what}",
        hint="read it from the environment or from Secrets Manager instead; if it is no secret, name the file"
        " in `not_secret` of [app] in gymops.toml",
    )
