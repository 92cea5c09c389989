"""The text PostgreSQL prints for a JSONB value, computed without PostgreSQL.

Two payloads are equal exactly when ``payload::jsonb::text`` is equal. That text has one space after
each comma and colon, object keys sorted by their length in UTF-8 bytes and then by those bytes, the
last of duplicate keys, strings with the shortest escapes, and numbers as ``numeric`` prints them: no
exponent, no negative zero, and the scale kept (62.5 is not 62.50).

Source: PostgreSQL's ``jsonb_util.c`` (lengthCompareJsonbString), ``json.c`` (escape_json) and
``numeric.c`` (set_var_from_str); the equality is tested against a running server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any

MAX_DEPTH = 512
"""Levels of nesting we read. JSONB itself takes several thousand; Python's parser does not."""
MAX_BYTES = 0x0FFF_FFFF
"""JSONB's own limit for the elements of one value, in bytes of UTF-8."""
MAX_INTEGER_DIGITS = 131_072
MAX_SCALE = 16_383
MAX_EXPONENT = 1_073_741_822
"""Beyond it ``numeric`` refuses even a zero."""


class BadJsonError(ValueError):
    """The text is no JSON, or JSON that a JSONB column cannot hold."""


def canonical(text: str) -> tuple[str, bool]:
    """Return JSONB's text for ``text``, and whether an object in it repeats a key.

    Raises:
        BadJsonError: with the reason in plain words.
    """
    if len(text) > MAX_BYTES // 4 and len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise BadJsonError(f"larger than JSONB holds ({MAX_BYTES} bytes)")
    _check_depth(text)
    try:
        return _canonical(text)
    except RecursionError:
        return _on_a_stack_of_its_own(text)


def _canonical(text: str) -> tuple[str, bool]:
    repeated: list[bool] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeated.append(True)
            for pair in pairs:  # JSONB refuses what it cannot hold even in a member it then drops
                _text(list(pair))
        return found

    decoder = json.JSONDecoder(
        object_pairs_hook=members,
        parse_float=_read_number,
        parse_int=_read_number,
        parse_constant=_refuse_constant,
    )
    try:
        value = decoder.decode(text)
    except json.JSONDecodeError as error:
        raise BadJsonError(f"invalid JSON: {error.msg} at character {error.pos}") from None
    return _text(value), bool(repeated)


def _on_a_stack_of_its_own(text: str) -> tuple[str, bool]:
    """Called from deep inside something: a payload must not be good here and bad there."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        try:
            return thread.submit(_canonical, text).result()
        except RecursionError:
            raise BadJsonError("nested deeper than this Python reads") from None


def number(text: str) -> str:
    """Print a JSON number as ``numeric`` does.

    Raises:
        BadJsonError: more digits than ``numeric`` holds.
    """
    sign, whole, fraction, exponent = _NUMBER.fullmatch(text).groups("")  # type: ignore[union-attr]
    if exponent:
        far = exponent.lstrip("+-0")  # int() itself reads 4,300 digits, zeros included
        if len(far) > 10 or int(far or 0) > MAX_EXPONENT:
            raise BadJsonError("a number beyond what JSONB holds")
        shift = -int(far or 0) if exponent[0] == "-" else int(far or 0)
        scale = max(len(fraction) - shift, 0)
        digits = whole + fraction
        if digits.strip("0") == "":
            whole, fraction = "0", "0" * min(scale, MAX_SCALE + 1)
        elif abs(shift) > MAX_INTEGER_DIGITS + len(digits):
            raise BadJsonError("a number beyond what JSONB holds")
        else:
            point = len(whole) + shift
            digits = "0" * -point + digits + "0" * (point - len(digits))
            point = max(point, 0)
            whole, fraction = digits[:point].lstrip("0") or "0", digits[point:]
    if len(whole) > MAX_INTEGER_DIGITS or len(fraction) > MAX_SCALE:
        raise BadJsonError("a number beyond what JSONB holds")
    if sign and whole == "0" and not fraction.strip("0"):
        sign = ""
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
# A string (or its beginning, if it never ends) or a bracket. Possessive: linear on hostile text.
_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|([\[{])|([\]}])', re.DOTALL)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _BRACKETS.finditer(text):
        opened, closed = match.groups()
        depth += bool(opened) - bool(closed)
        if depth > MAX_DEPTH:
            raise BadJsonError(f"nested deeper than {MAX_DEPTH} levels")


class _Number(str):
    """A number's canonical text, told apart from a string."""

    __slots__ = ()


def _read_number(text: str) -> _Number:
    return _Number(number(text))


def _refuse_constant(name: str) -> None:
    raise BadJsonError(f"{name}, which is no JSON")


def _key_order(key: str) -> tuple[int, bytes]:
    raw = key.encode(errors="surrogatepass")
    return len(raw), raw


def _text(value: Any) -> str:
    out: list[str] = []
    _print(value, out.append)
    result = "".join(out)
    if not result.isascii():
        try:
            result.encode()
        except UnicodeEncodeError:
            raise BadJsonError("a lone surrogate, which JSONB cannot hold") from None
    return result


def _string(text: str) -> str:
    if "\0" in text:
        raise BadJsonError(r"\u0000, which JSONB cannot hold")
    return encode_basestring(text)


def _print(value: Any, out: Callable[[str], None]) -> None:
    kind = type(value)
    if kind is str:
        out(_string(value))
    elif kind is _Number:
        out(value)
    elif kind is dict:
        separator = "{"
        for key in sorted(value, key=_key_order):
            out(separator + _string(key) + ": ")
            _print(value[key], out)
            separator = ", "
        out("}" if value else "{}")
    elif kind is list:
        separator = "["
        for item in value:
            out(separator)
            _print(item, out)
            separator = ", "
        out("]" if value else "[]")
    else:
        out("null" if value is None else "true" if value else "false")


# An object's values in forms that are their own canonical text, escapes apart: strings, plain numbers that
# are not negative zero, literals, and lists of strings and numbers. Possessive, so that no text, however
# odd, is looked at twice. Everything else takes the exact path above.
_PIECE = r'[^"\\\x00-\x1f]*+'
_STRING = rf'"{_PIECE}(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{{4}}){_PIECE})*+"'
_PLAIN_NUMBER = r"-?[1-9][0-9]{0,99}+(?:\.[0-9]{1,99}+)?+|0(?:\.[0-9]{1,99}+)?+"
_SCALAR = rf"{_STRING}|{_PLAIN_NUMBER}|true|false|null"
_VALUE = rf"({_SCALAR}|\[(?:(?:{_SCALAR})(?:, (?:{_SCALAR}))*+)?+\])"
_SHAPES = 4
"""Shapes tried per event type: more would cost what they save."""
_TRIES = 16
"""Payloads of an event type looked at in vain before its shapes are given up."""
_TYPES = 256
"""Event types whose shapes are kept; memory stays flat when every event has a type of its own."""
_KEYS = 40


class Payloads:
    """``canonical`` for many payloads of few shapes, about three times as fast.

    An application writes the same few objects over and over, so the shape of each new object is
    learned as a regular expression over its whole text. A payload that matches one is valid JSON of
    that shape by construction, and printing it is a matter of putting its members in order; one that
    matches none takes the exact path. Both give the same text.
    """

    def __init__(self) -> None:
        self._shapes: dict[str, list[_Shape]] = {}
        self._tries: dict[str, int] = {}
        self.repeated = 0
        """Payloads in which an object repeats a key."""

    def canonical(self, event_type: str, text: str) -> str:
        """Return JSONB's text for one payload; ``event_type`` finds its shape sooner.

        Raises:
            BadJsonError: with the reason in plain words.
        """
        shapes = self._shapes.get(event_type, ())
        for match, fill, order in shapes:
            found = match(text)
            if found:
                if "\\" not in text:
                    return fill(found.group(*order))
                # The values with escapes, and only they, are printed the exact way.
                values = (_exact(v) if "\\" in v else v for v in map(found.group, order))
                return fill(tuple(values))
        result, repeated = canonical(text)
        if repeated:
            self.repeated += 1
        elif len(shapes) < _SHAPES:
            self._learn(event_type, text)
        return result

    def _learn(self, event_type: str, text: str) -> None:
        tries = self._tries.get(event_type, 0)
        if tries >= _TRIES or (not tries and len(self._tries) >= _TYPES):
            return
        self._tries[event_type] = tries + 1
        shape = _shape(text)
        if shape:
            self._shapes.setdefault(event_type, []).append(shape)


def _exact(value: str) -> str:
    return _text(json.loads(value)) if value.startswith('"') else _canonical(value)[0]


_Shape = tuple[Callable[[str], "re.Match[str] | None"], Callable[[Any], str], tuple[int, ...]]
"""Matches the text of a payload, fills its values into the canonical text, and which group goes where."""


def _shape(text: str) -> _Shape | None:
    """The shape of an object of scalars and lists of them, if valid JSON is one."""
    if text.count("{") != 1:  # nested, or at least not worth a closer look
        return None
    members = json.loads(text, parse_int=str)
    if not isinstance(members, dict) or not 0 < len(members) <= _KEYS:
        return None
    names = {name: encode_basestring(name) for name in members}
    pattern = ", ?".join(re.escape(names[name]) + ": ?" + _VALUE for name in members)
    match = re.compile(r"\{" + pattern + r"\}").fullmatch
    if not match(text):
        return None
    order = sorted(members, key=_key_order)
    places = {name: index for index, name in enumerate(members, 1)}
    template = "{" + ", ".join(names[name].replace("%", "%%") + ": %s" for name in order) + "}"
    return match, template.__mod__, tuple(places[name] for name in order)
