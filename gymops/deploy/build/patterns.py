"""Patterns of paths as in .gitignore: ``*`` within a name, ``**`` across folders."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether a path (with ``/``, from the root) is meant by one of them."""
    return any(_expression(pattern).fullmatch(path) for pattern in patterns)


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    written = ""
    position = 0
    while position < len(pattern):
        if pattern.startswith("**/", position):
            written += "(?:.*/)?"
            position += 3
        elif pattern.startswith("**", position):
            written += ".*"
            position += 2
        else:
            sign = pattern[position]
            written += {"*": "[^/]*", "?": "[^/]"}.get(sign, re.escape(sign))
            position += 1
    return re.compile(written, re.DOTALL)
