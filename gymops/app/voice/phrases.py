"""Fixed phrases: one pattern a line, matched against whole words of a sentence in lower case."""

from __future__ import annotations

import re

WORKOUT = r"(?:workout|work out|session|training)"
THE = r"(?: (?:the|my|this|that|a|an|another|new|current|whole))*"


def phrases(*patterns: str) -> re.Pattern[str]:
    """Any of these, as one pattern."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


def prefix(pattern: re.Pattern[str], line: str) -> int:
    """How many words the longest start of the line that matches has; 0 if none does."""
    words = line.split()
    for count in range(len(words), 0, -1):
        if pattern.fullmatch(" ".join(words[:count])):
            return count
    return 0
