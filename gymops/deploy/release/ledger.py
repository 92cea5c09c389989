"""The ledger: what was released where, by whom, made of what; ``releases/ENV/NUMBER.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar

from gymops.deploy.artefact import canonical, sha256
from gymops.deploy.release.plan import Outcome
from gymops.deploy.release.records import RecordError, dump, load
from gymops.errors import Exists, GymopsError
from gymops.store.objects import Objects, named
from gymops.store.records import plain

DESTROY = "destroy"
"""The verb after which nothing runs."""

_READERS = 8


class NoRelease(GymopsError):
    """There is no release of that number."""

    code: ClassVar[str] = "no_release"


@dataclass(frozen=True)
class Source:
    """The release that was promoted, or returned to."""

    environment: str
    number: int


@dataclass(frozen=True)
class ReleasedArtefact:
    """What was released: the digest decides, ``uri`` says where its bytes are."""

    digest: str
    kind: str
    uri: str
    static: str | None = None
    """The digest of the list of its static files."""


@dataclass(frozen=True)
class Release:
    """One attempt to release, as it ended. Law: a record is written once, under the next number, and never
    changed; every number from 1 on is there; one operation has one.
    """

    SCHEMA: ClassVar[int] = 1

    environment: str
    operation: str
    """The operation's id."""
    verb: str
    """``deploy``, ``promote``, ``rollback``, ``restore``; or ``destroy``, of what ran."""
    outcome: Outcome
    who: str
    artefact: ReleasedArtefact
    template: str
    """The template's digest."""
    parameters: Mapping[str, str]
    """As ``records.shown`` leaves them: what is NoEcho or looks like a secret is not here."""
    withheld: tuple[str, ...]
    """The names of those that are not."""
    started: datetime
    ended: datetime
    number: int = 0
    """Given by the ledger."""
    why: str | None = None
    """It failed."""
    approved_by: str | None = None
    commit: str | None = None
    dirty: bool = False
    """The working tree was not that commit's."""
    schema_before: str | None = None
    """The database's revision before the release."""
    schema_after: str | None = None
    accepts: str | None = None
    """The last revision its code knows; a contract behind that one takes it from the rollback's targets."""
    waiting: tuple[str, ...] = ()
    """The revisions it left for later, since a release one may return to needs what they take away."""
    change_set: str | None = None
    """Its ARN; None where there was nothing to change."""
    test: Mapping[str, Any] | None = None
    """What the app's own tests came to."""
    smoke: tuple[Mapping[str, Any], ...] = ()
    """What each path answered."""
    durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds of each phase."""
    source: Source | None = None
    break_glass: str | None = None
    """Why the rules were set aside."""
    version: str | None = None
    """The published version of the function."""
    static: Mapping[str, Any] | None = None
    """How many static files were uploaded, unchanged, invalidated; what did not go well with them."""
    around: Mapping[str, str] = field(default_factory=dict)
    """The digests of the other stacks' templates; of a rollback those that it found."""
    restore: Mapping[str, Any] | None = None
    """The database it was pointed at, and what was proved of it there."""
    schema: int = SCHEMA

    @property
    def good(self) -> bool:
        """Whether it may be returned to, and promoted."""
        return self.outcome is Outcome.SUCCEEDED and self.verb != DESTROY

    @property
    def parameter_digest(self) -> str:
        """Of the parameters that are here and the names of those that are not."""
        return sha256(canonical([dict(self.parameters), sorted(self.withheld)]))

    @property
    def content(self) -> tuple[str, str, str]:
        """What is released: equal for releases that differ in nothing but when, how and by whom."""
        artefact = self.artefact.digest + (self.artefact.static or "")  # an image's digest is not of them
        return artefact, self.template, self.parameter_digest

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**plain(self), "parameter_digest": self.parameter_digest}


class Ledger:
    """The releases of one environment."""

    def __init__(self, objects: Objects, environment: str) -> None:
        self._objects = objects
        self._environment = named(environment)
        self._read: dict[str, Release] = {}
        """Read once: they never change."""

    def append(self, release: Release) -> Release:
        """Record a release under the next number. Of an operation that has one already, that one is returned.

        Raises:
            SecretInRecord: there is a secret in it.
            RecordError: an earlier record is damaged.
        """
        if release.environment != self._environment:
            raise ValueError(f"a release of {release.environment} in the ledger of {self._environment}")
        while True:
            there = self.releases()
            for one in there:
                if one.operation == release.operation:
                    return one
            numbered = replace(release, number=len(there) + 1)
            key = self._key(numbered.number)
            try:
                self._objects.create(key, dump(numbered))
            except Exists:
                continue  # another was faster; it may have been ourselves, before we were killed
            self._read[key] = numbered
            return numbered

    def releases(self) -> Sequence[Release]:
        """All of them, the first one first.

        Raises:
            RecordError: a record is damaged, missing, or of a later gymops; the message says which.
        """
        keys = self._objects.keys(f"releases/{self._environment}/")
        for number, key in enumerate(keys, start=1):
            if key != self._key(number):
                raise RecordError(
                    f"{self._key(number)} is missing: the next one is {key}",
                    hint="the bucket keeps its former versions: restore that object's last one",
                )
        new = [key for key in keys if key not in self._read]
        with ThreadPoolExecutor(_READERS) as readers:
            for key, release in zip(new, readers.map(self._load, new), strict=True):
                self._read[key] = release
        return [self._read[key] for key in keys]

    def get(self, number: int) -> Release:
        """A release by its number.

        Raises:
            NoRelease: there is none.
        """
        known = self._read.get(self._key(number))
        for release in [known] if known else self.releases():
            if release.number == number:
                return release
        raise NoRelease(
            f"{self._environment} has no release {number}", hint=f"gymops releases {self._environment}"
        )

    def _load(self, key: str) -> Release:
        found = self._objects.get(key)
        release = load(Release, found[0] if found else b"", key)
        if self._key(release.number) != key or release.environment != self._environment:
            raise RecordError(
                f"{key} is damaged: it is release {release.number} of {release.environment}",
                hint="the bucket keeps its former versions: restore that object's last one",
            )
        return release

    def _key(self, number: int) -> str:
        return f"releases/{self._environment}/{number:08d}.json"


def last_good(releases: Sequence[Release]) -> Release | None:
    """What runs, unless something failed half-way since: the last release that succeeded. None once the
    environment was destroyed.
    """
    ended = (one for one in reversed(releases) if one.outcome is Outcome.SUCCEEDED)
    last = next(ended, None)
    return last if last and last.good else None


def targets(releases: Sequence[Release]) -> Sequence[Release]:
    """What can be returned to, the latest first: what succeeded and is other than what runs."""
    running = last_good(releases)
    if running is None:
        return []
    return [one for one in reversed(releases) if one.good and one.content != running.content]


def kept(releases: Sequence[Release], count: int) -> Sequence[Release]:
    """Those of the targets that no contract makes unfit: the last so many that are other than each other."""
    latest: dict[tuple[str, str, str], Release] = {}
    for one in targets(releases):
        latest.setdefault(one.content, one)
    return list(latest.values())[:count]


def previous(releases: Sequence[Release]) -> Release | None:
    """Where a rollback without a number goes: to what ran before what runs was first released. Rolling back
    twice therefore goes back twice, and not to the release that was just left.
    """
    by_number = {one.number: one for one in releases}
    at = last_good(releases)
    while at and at.verb == "rollback" and at.source and at.source.number < at.number:
        at = by_number.get(at.source.number)
    if at is None:
        return None
    return next((one for one in targets(releases) if one.number < at.number), None)
