"""SQLite's SQL as tokens: what its schema says and no PRAGMA tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))
    | (?P<blob>[xX]'[0-9A-Fa-f]*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\])
    | (?P<number>0[xX][0-9A-Fa-f]+ | (?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<op>->>|->|\|\||<<|>>|<=|>=|==|!=|<>|.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """A piece of SQL; ``value`` is a name or text without its quotes."""

    kind: str
    """blob, string, quoted, number, word or op."""
    text: str
    value: str

    def is_(self, *words: str) -> bool:
        """Whether it is one of these words or signs, in whatever case."""
        return self.kind in ("word", "op") and self.text.upper() in words

    @property
    def name(self) -> bool:
        """Whether it can name something."""
        return self.kind in ("word", "quoted", "string")


Tokens = Sequence[Token]


def tokens(sql: str) -> list[Token]:
    """Without white space and comments."""
    found = []
    for match in _TOKEN.finditer(sql):
        kind, text = str(match.lastgroup), match[0]
        if kind != "space":
            found.append(Token(kind, text, _value(kind, text)))
    return found


def _value(kind: str, text: str) -> str:
    if kind not in ("string", "quoted"):
        return text
    end = text[-1]
    return text[1:-1] if end == "]" else text[1:-1].replace(end * 2, end)


def group(found: Tokens, at: int) -> tuple[Tokens, int]:
    """What stands between the bracket at ``at`` and the one that closes it, and where to go on."""
    depth = 0
    for place in range(at, len(found)):
        depth += {"(": 1, ")": -1}.get(found[place].text, 0) if found[place].kind == "op" else 0
        if depth == 0:
            return found[at + 1 : place], place + 1
    return found[at + 1 :], len(found)


def split(found: Tokens) -> Iterator[Tokens]:
    """The parts between commas outside all brackets."""
    start = depth = 0
    for place, token in enumerate(found):
        if token.kind == "op":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if token.text == "," and depth == 0:
                yield found[start:place]
                start = place + 1
    if found:
        yield found[start:]


def find(found: Tokens, *words: str) -> int:
    """Where one of these words stands outside all brackets; -1 if nowhere."""
    depth = 0
    for place, token in enumerate(found):
        if depth == 0 and token.is_(*words):
            return place
        if token.kind == "op":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
    return -1
