"""Connection strings: parsed, checked, and shown without their secrets."""

from __future__ import annotations

import re
from urllib.parse import quote

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from gymops.errors import ConfigError

_SCHEME = re.compile(r"postgres(?:ql)?://")
_OTHER_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_PORTS = re.compile(r"[0-9]{0,5}(?:,[0-9]{0,5})*")
_PLAIN_HOST = re.compile(r"[A-Za-z0-9._:-]+")
# libpq marks its passwords itself ("*"); these two it leaves unmarked.
_ALSO_SECRET = frozenset({"scram_client_key", "scram_server_key"})
_HIDDEN = "***"


def parse(url: str) -> dict[str, str]:
    """The parameters of a ``postgresql://`` URL or a ``key=value`` connection string.

    Raises:
        ConfigError: it is neither. Nothing of it is repeated, since any part may be a password.
    """
    parameters = _parameters(url)
    if parameters is None:
        raise ConfigError(_complaint(url), hint="postgresql://user@host:5432/database, or env:NAME")
    return parameters


def redact(url: str) -> str:
    """The same connection without its passwords, fit for messages and records.

    What cannot be understood is hidden whole: a password with an unescaped ``@`` or ``/`` would
    otherwise be taken for a host name.
    """
    parameters = _parameters(url)
    if parameters is None:
        scheme = _SCHEME.match(url)
        return f"{scheme.group()}{_HIDDEN}" if scheme else _HIDDEN
    shown = {name: value for name, value in parameters.items() if name not in _secret_names()}
    return _as_url(shown) if _SCHEME.match(url) else make_conninfo("", **shown)


def secrets(parameters: dict[str, str]) -> list[str]:
    """The values that must never be shown."""
    return [value for name, value in parameters.items() if name in _secret_names() and value]


def _secret_names() -> frozenset[str]:
    defaults = pq.Conninfo.get_defaults()
    return _ALSO_SECRET | {option.keyword.decode() for option in defaults if option.dispchar == b"*"}


def _parameters(url: str) -> dict[str, str] | None:
    if "\0" in url or (_SCHEME.match(url) and not _unambiguous(url)):
        return None
    try:
        options = pq.Conninfo.parse(url.encode())
        found = {o.keyword.decode(): o.val.decode() for o in options if o.val is not None}
    except (psycopg.Error, UnicodeError):
        return None
    return found if _PORTS.fullmatch(found.get("port", "")) else None


def _unambiguous(url: str) -> bool:
    """Whether the only raw ``@`` is the one libpq takes for the end of the credentials."""
    rest = _SCHEME.sub("", url, count=1)
    return "@" not in rest or (rest.count("@") == 1 and "/" not in rest.partition("@")[0])


def _complaint(url: str) -> str:
    if _SCHEME.match(url):
        return (
            "the database URL cannot be understood; in a user name or password "
            "@ is written %40, / is %2F, : is %3A, % is %25 and a space is %20"
        )
    other = _OTHER_SCHEME.match(url)
    if other:
        return f"{other.group(1)}:// is no PostgreSQL URL; it begins with postgresql://"
    return "this is neither a postgresql:// URL nor a key=value connection string"


def _as_url(parameters: dict[str, str]) -> str:
    rest = dict(parameters)
    user, host, port = rest.pop("user", ""), rest.get("host", ""), rest.get("port", "")
    authority = f"{quote(user, safe='')}@" if user else ""
    # A socket folder and a list of hosts are readable as parameters only.
    if _PLAIN_HOST.fullmatch(host):
        rest.pop("host")
        authority += f"[{host}]" if ":" in host else host
        if port and "," not in port:
            rest.pop("port")
            authority += f":{port}"
    database = rest.pop("dbname", "")
    path = f"/{quote(database, safe='')}" if database or rest or not authority else ""
    query = "&".join(f"{name}={quote(value, safe='/,:')}" for name, value in sorted(rest.items()))
    return f"postgresql://{authority}{path}{'?' + query if query else ''}"
