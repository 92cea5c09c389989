"""``gymops logs``: what an environment's functions wrote, in the order it arrived, nothing twice.

1. Every look asks for everything since a moment, all pages of it.
2. What was told already is known by its id, and not told again.
3. The moment follows the newest line at a distance: CloudWatch shows some lines later than newer ones.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from gymops.clock import Clock
from gymops.deploy.stack.masking import MASK, masker
from gymops.deploy.syntax import Lines, TemplateError, parse
from gymops.deploy.verbs.remains import parts
from gymops.deploy.verbs.site import Site
from gymops.errors import GymopsError

LATE = timedelta(minutes=2)
"""How much later than newer ones a line may appear."""
PACE = 2.0
"""Seconds between two looks."""
_FUNCTION = "AWS::Lambda::Function"
_GROUP = "AWS::Logs::LogGroup"


class Line(Protocol):
    """One line of a log."""

    @property
    def group(self) -> str:
        """The log group."""

    @property
    def stream(self) -> str:
        """The stream in it."""

    @property
    def at(self) -> datetime:
        """When it was written."""

    @property
    def text(self) -> str:
        """The line."""

    @property
    def id(self) -> str:
        """The service's own id; empty where it gives none."""


class Logs(Protocol):
    """What reads log groups."""

    def lines(self, group: str, region: str, since: datetime, pattern: str = "") -> Iterable[Line]:
        """Every event of a group since then."""


@dataclass(frozen=True)
class Group:
    """A log group."""

    name: str
    region: str


@dataclass(frozen=True)
class Told:
    """A line as it is shown: without secrets, and with what its JSON says."""

    at: datetime
    group: str
    stream: str
    text: str
    fields: dict[str, Any] | None = None
    """The line's own document; None if it is none."""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        shown = {"message": self.text} if self.fields is None else self.fields
        return {"at": self.at.isoformat(timespec="milliseconds"), "group": self.group, "line": shown}


def groups(site: Site) -> list[Group]:
    """The log groups of the environment's functions: those its stacks hold, and those AWS makes by itself.

    Raises:
        GymopsError: no function is there.
    """
    found: list[Group] = []
    for part in reversed(parts(site)):
        region = site.deployment.region_of(part)
        stack = site.reader(region).stack(site.deployment.stack_name(part))
        for one in site.reader(region).resources(stack.id) if stack else ():
            if not one.physical:
                continue
            if one.kind == _GROUP:
                found.append(Group(one.physical, region))
            elif one.kind == _FUNCTION:
                found.append(Group(f"/aws/lambda/{one.physical}", region))
    if not found:
        name = site.deployment.name
        raise GymopsError(f"{name} has no functions and no logs", hint=site.deployment.released_by)
    return list(dict.fromkeys(found))


def read(
    site: Site, logs: Logs, *, since: timedelta, correlation: str | None = None, follow: bool = False
) -> Iterator[Told]:
    """The lines since then; with ``follow`` also those to come, until somebody ends it.

    ``correlation``: only those of one request, and of what joins it.

    Raises:
        GymopsError: no function is there.
        AwsError: the service does not answer.
    """
    hidden = masker([_template(site)], {}).text
    for line in _lines(
        groups(site), logs, site.clock, since=since, pattern=_pattern(correlation), follow=follow
    ):
        told = _told(line, hidden)
        if correlation is None or _joined(told, correlation):
            yield told


def _lines(
    found: list[Group], logs: Logs, clock: Clock, *, since: timedelta, pattern: str, follow: bool
) -> Iterator[Line]:
    start = clock.now() - since
    seen: dict[Any, datetime] = {}
    while True:
        fresh: list[Line] = []
        for group in found:
            same: Counter[Any] = Counter()
            for line in logs.lines(group.name, group.region, start, pattern):
                like = line.id or (line.stream, line.at, line.text)
                same[like] += 1
                key = group.name, like, 1 if line.id else same[like]
                if key not in seen:
                    seen[key] = line.at
                    fresh.append(line)
        yield from sorted(fresh, key=lambda line: line.at)
        if not follow:
            return
        newest = max(seen.values(), default=start)
        start = max(start, newest - LATE)
        seen = {key: at for key, at in seen.items() if at >= _whole(start)}
        clock.sleep(PACE)


def _whole(moment: datetime) -> datetime:
    """The millisecond it is in, which is what the service is asked for."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _pattern(correlation: str | None) -> str:
    """A phrase; the lines that hold it elsewhere are left out here."""
    return "" if correlation is None else '"' + correlation.replace("\\", "").replace('"', "") + '"'


def _joined(told: Told, correlation: str) -> bool:
    fields = told.fields
    if fields is None:
        return correlation in told.text
    return correlation in (fields.get("correlation_id"), fields.get("request_id"))


def _told(line: Line, hidden: Any) -> Told:
    fields = _document(line.text)
    if fields is not None:
        fields = _masked(fields, hidden)
        return Told(line.at, line.group, line.stream, json.dumps(fields, ensure_ascii=False), fields)
    return Told(line.at, line.group, line.stream, hidden(line.text))


def _document(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _masked(value: Any, hidden: Any) -> Any:
    """Value by value, so that one secret hides not the whole line; a name of one is enough for the rest."""
    if isinstance(value, dict):
        return {
            key: MASK if hidden(f'{key}="{one}"') == MASK and isinstance(one, str) else _masked(one, hidden)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_masked(one, hidden) for one in value]
    return hidden(value) if isinstance(value, str) else value


def _template(site: Site) -> Lines:
    """The application's template, whose defaults of secret parameters are hidden too."""
    app = site.deployment.architecture.stack("app")
    reader, name = site.reader(site.deployment.region_of(app)), site.deployment.stack_name(app)
    try:
        return parse(reader.template(name), name) if reader.stack(name) else Lines()
    except TemplateError:
        return Lines()
