"""SQLite's expressions and queries in PostgreSQL's words, where they mean the same there.

What has no counterpart is refused, never guessed; what comes out is tried on PostgreSQL itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gymops.eventlog.shapes import quote
from gymops.tables.names import fold
from gymops.tables.tokens import Tokens, group, split

_UTC = "(now() AT TIME ZONE 'UTC')"
NOW = {
    "CURRENT_TIMESTAMP": f"to_char({_UTC}, 'YYYY-MM-DD HH24:MI:SS')",
    "CURRENT_DATE": f"to_char({_UTC}, 'YYYY-MM-DD')",
    "CURRENT_TIME": f"to_char({_UTC}, 'HH24:MI:SS')",
}
_RESERVED = frozenset(
    """
    AND OR NOT IN IS NULL CASE WHEN THEN ELSE END BETWEEN LIKE GLOB ESCAPE EXISTS CAST AS COLLATE ISNULL
    NOTNULL SELECT DISTINCT FROM WHERE GROUP BY HAVING ORDER LIMIT OFFSET ON USING JOIN LEFT RIGHT FULL INNER
    OUTER CROSS NATURAL UNION ALL EXCEPT INTERSECT WITH VALUES
    """.split()  # noqa: SIM905 - one can read it
)
_OTHER = frozenset(
    """
    ASC DESC NULLS FIRST LAST RECURSIVE OVER PARTITION ROWS RANGE FILTER TRUE FALSE UNBOUNDED PRECEDING
    FOLLOWING CURRENT ROW
    """.split()  # noqa: SIM905
)
_TYPES = {
    "INTEGER": "bigint",
    "INT": "bigint",
    "TEXT": "text",
    "REAL": "double precision",
    "NUMERIC": "numeric",
}
_SAME = frozenset(
    """
    lower upper abs length trim ltrim rtrim replace coalesce nullif substr count sum avg sign ceil floor
    sqrt row_number rank dense_rank lag lead first_value last_value
    """.split()  # noqa: SIM905
)
_STRFTIME = {"Y": "YYYY", "m": "MM", "d": "DD", "H": "HH24", "M": "MI", "S": "SS", "j": "DDD"}


class UntranslatableError(Exception):
    """The reason, in plain words."""


@dataclass(frozen=True)
class Translator:
    """Knows what names become; ``columns`` and ``tables`` go from lower-case names to SQL."""

    columns: Mapping[str, str]
    tables: Mapping[str, str] = field(default_factory=dict)
    keep: bool = False
    exact: bool = False
    """upper and lower know A to Z only, as in SQLite."""
    closed: bool = True
    """There are no other names than these columns: in an expression of a table, not in a query."""

    def __call__(self, found: Tokens) -> str:
        """The whole expression or query.

        Raises:
            UntranslatableError: it uses what PostgreSQL has not, or has in another sense.
        """
        out: list[str] = []
        at = 0
        while at < len(found):
            at = self._next(found, at, out)
        return " ".join(out).replace(" . ", ".")

    def _next(self, found: Tokens, at: int, out: list[str]) -> int:
        """Translate what begins at a token; return where to go on."""
        token = found[at]
        following = found[at + 1] if at + 1 < len(found) else None
        upper = token.text.upper()
        if token.kind == "op":
            return self._sign(found, at, out)
        if token.kind == "string":
            out.append(_literal(token.value))
        elif token.kind == "blob":
            out.append(f"'\\x{token.text[2:-1]}'::bytea")
        elif token.kind == "number":
            out.append(str(int(token.text, 16)) if token.text[:2].lower() == "0x" else token.text)
        elif token.kind == "quoted":
            out.append(self._name(token.value, quoted=token.text[0] == '"'))
        elif upper in NOW:
            out.append(NOW[upper])
        elif upper not in _RESERVED and following and following.is_("("):
            return self._call(found, at, out)
        elif upper in ("IS", "LIKE", "GLOB", "CAST", "COLLATE"):
            return self._operator(found, at, out)
        elif upper in _RESERVED or (upper in _OTHER and token.value.lower() not in self.columns):
            out.append(upper)
        else:
            out.append(self._name(token.value, quoted=False))
        return at + 1

    def _sign(self, found: Tokens, at: int, out: list[str]) -> int:
        text = found[at].text
        if text == "(":
            inside, end = group(found, at)
            out.append(f"({self(inside)})")
            return end
        if text in ("?", ":", "@", "$", "->", "->>"):
            raise UntranslatableError(f"{text} has no counterpart")
        out.append("=" if text == "==" else text)
        return at + 1

    def _name(self, name: str, *, quoted: bool) -> str:
        known = self.columns.get(name.lower()) or self.tables.get(name.lower())
        if known:
            return known
        if self.closed:
            if quoted:  # SQLite takes an unknown name in double quotes for a text
                return _literal(name)
            raise UntranslatableError(f"{name} is no column of the table")
        return quote(name if self.keep else fold(name))

    def _operator(self, found: Tokens, at: int, out: list[str]) -> int:
        token, after = found[at], found[at + 1 :]
        if token.is_("IS"):
            negated = bool(after and after[0].is_("NOT"))
            operand = after[1:] if negated else after
            if operand and operand[0].is_("NULL", "TRUE", "FALSE", "DISTINCT"):
                out.append("IS")
                return at + 1
            out.append("IS DISTINCT FROM" if negated else "IS NOT DISTINCT FROM")
            return at + 1 + negated
        if token.is_("COLLATE"):
            if not after or after[0].value.upper() != "BINARY":
                raise UntranslatableError(f"COLLATE {after[0].value if after else ''} has no counterpart")
            return at + 2
        if token.is_("CAST") and after and after[0].is_("("):
            inside, end = group(found, at + 1)
            place = next((i for i, one in enumerate(inside) if one.is_("AS")), 0)
            named = " ".join(one.text for one in inside[place + 1 :]).upper()
            if named not in _TYPES:
                raise UntranslatableError(f"CAST to {named}")
            out.append(f"CAST({self(inside[:place])} AS {_TYPES[named]})")
            return end
        pattern = after[0] if after and after[0].kind == "string" else None
        if token.is_("LIKE"):  # SQLite's LIKE does not tell a from A
            if pattern and "\\" in pattern.value:
                raise UntranslatableError("a backslash in LIKE means another thing")
            out.append("ILIKE")
            return at + 1
        if not pattern:
            raise UntranslatableError("GLOB with a pattern that is computed")
        if out and out[-1] == "NOT":
            out.pop()
            out.append("!~")
        else:
            out.append("~")
        out.append(_literal(_regular(pattern.value)))
        return at + 2

    def _call(self, found: Tokens, at: int, out: list[str]) -> int:
        name = found[at].value.lower()
        inside, end = group(found, at + 1)
        written = list(split(inside))
        arguments = [self(part) for part in written]
        if name in ("lower", "upper") and self.exact:
            out.append(f'{name}(({arguments[0]})::text COLLATE "C")')
        elif name in _SAME:
            out.append(f"{name}({', '.join(arguments)})")
        elif name in ("min", "max") and len(arguments) == 1:
            out.append(f"{name}({arguments[0]})")
        elif name in _CALLS and (call := _CALLS[name](arguments)):
            out.append(call)
        elif name == "strftime" and written and written[0][0].kind == "string" and len(arguments) == 2:
            out.append(_strftime(written[0][0].value, arguments[1]))
        else:
            raise UntranslatableError(f"{name}() has no counterpart")
        return end


def _joined(arguments: list[str]) -> str | None:
    if len(arguments) > 2:
        return None
    separator = arguments[1] if len(arguments) == 2 else "','"
    distinct, value = "", arguments[0]
    if value.startswith("DISTINCT "):
        distinct, value = "DISTINCT ", value.removeprefix("DISTINCT ")
    return f"string_agg({distinct}({value})::text, {separator})"


def _at(arguments: list[str]) -> str | None:
    """A moment without modifiers."""
    if len(arguments) > 1:
        return None
    return _UTC if not arguments or arguments[0].lower() == "'now'" else f"({arguments[0]})::timestamp"


def _printed(template: str) -> Callable[[list[str]], str | None]:
    def call(arguments: list[str]) -> str | None:
        moment = _at(arguments)
        return f"to_char({moment}, '{template}')" if moment else None

    return call


_CALLS: dict[str, Callable[[list[str]], str | None]] = {
    # PostgreSQL rounds 2.5 in floating point to the even number, in decimals away from zero as SQLite does.
    "round": lambda a: f"round(({a[0]})::numeric{', ' + a[1] if len(a) > 1 else ''})::double precision",
    "ifnull": lambda a: f"coalesce({', '.join(a)})",
    "iif": lambda a: f"CASE WHEN {a[0]} THEN {a[1]} ELSE {a[2]} END" if len(a) == 3 else None,
    "instr": lambda a: f"strpos({', '.join(a)})",
    "substring": lambda a: f"substr({', '.join(a)})",
    "total": lambda a: f"coalesce(sum({a[0]}), 0)::double precision",
    "group_concat": _joined,
    "date": _printed("YYYY-MM-DD"),
    "time": _printed("HH24:MI:SS"),
    "datetime": _printed("YYYY-MM-DD HH24:MI:SS"),
    "unixepoch": lambda a: f"floor(extract(epoch FROM {_at(a)}))::bigint" if _at(a) else None,
}


def _strftime(template: str, value: str) -> str:
    moment = _at([value])
    if template == "%s":
        return f"floor(extract(epoch FROM {moment}))::bigint"
    parts = re.split(r"%(.)", template)
    if any(code not in _STRFTIME for code in parts[1::2]):
        raise UntranslatableError(f"strftime('{template}') has no counterpart")
    words = [f'"{part}"' if part.strip("-: ./") else part for part in parts[::2]]
    codes = [_STRFTIME[code] for code in parts[1::2]]
    joined = "".join(word + code for word, code in zip(words, [*codes, ""], strict=True))
    return f"to_char({moment}, {_literal(joined)})"


def _regular(pattern: str) -> str:
    """A GLOB as a regular expression."""
    out, at = ["^"], 0
    while at < len(pattern):
        sign = pattern[at]
        end = pattern.find("]", at + 2) if sign == "[" else -1
        if end > 0:
            out.append(pattern[at : end + 1].replace("\\", "\\\\"))
            at = end
        else:
            out.append({"*": ".*", "?": "."}.get(sign) or (sign if sign.isalnum() else "\\" + sign))
        at += 1
    return "".join([*out, "$"])


def _literal(text: str) -> str:
    """A text of SQL."""
    if "\0" in text:
        raise UntranslatableError("a NUL character")
    return "'" + text.replace("'", "''") + "'"
