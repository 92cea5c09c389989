"""``gymops secrets rotate|set``: new values for what is secret, while the app stays up.

A value that the app is given goes through the stages of Secrets Manager, which are the only record of it:

1. The new value is AWSPENDING. Whoever reads it accepts it, or says that it cannot be used.
2. When every process has read its secrets again, and the app answers, it becomes AWSCURRENT; the one before
   is AWSPREVIOUS.
3. When every process has read them once more, and the app answers, it is no longer AWSPENDING.

So a version that is pending says how far a killed rotation came, and the same command goes on with it. RDS
and a rotation function do the same by themselves; they are begun, and waited for.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from gymops.clock import ticks
from gymops.deploy import smoke
from gymops.deploy.release.lock import Held, Owner
from gymops.deploy.verbs.app import App
from gymops.deploy.verbs.run import doubtful, settled
from gymops.deploy.verbs.secrets import OURS, Keeper, Known, Way
from gymops.deploy.verbs.site import Site
from gymops.errors import GateRefused, GymopsError, Unknown

SECONDS = "SecretSeconds"
"""The output that says how old a secret may get in a process."""

_SLACK = 5.0
"""Seconds: for a reading that has begun."""
_TRIES, _PAUSE = 3, 2.0
"""How often an app that does not answer is asked again, and the seconds between."""
_PATIENCE, _INTERVAL = 900.0, 2.0
"""Seconds: for a rotation by RDS or by a function; two looks at it."""


class NotTakenUp(GymopsError):
    """The app did not answer with the new value, and the old one holds."""

    exit_code: ClassVar[int] = 5
    code: ClassVar[str] = "rolled_back"


class NotReturned(GymopsError):
    """The app did not answer with the new value, and the old one could not be put back."""

    exit_code: ClassVar[int] = 6
    code: ClassVar[str] = "rollback_failed"


def change(
    site: Site, keeper: Keeper, owner: Owner, wanted: Sequence[Known], text: str | None = None
) -> None:
    """New values, one after the other, under the environment's lock: generated ones, or for one this text.

    Raises:
        GateRefused: the app does not answer as it is, or does not say when it reads its secrets again.
        LockHeld: somebody releases there.
        NotTakenUp, NotReturned: the app did not answer with it.
        Unknown: AWS did not say; the same command goes on.
        GymopsError: a rotation by RDS or by a function failed.
    """
    environment, bucket = site.deployment.name, site.bucket()
    if bucket is None or site.runs(site.outputs("app")) is None:
        raise GateRefused(f"nothing was released to {environment}", hint=site.deployment.released_by)
    lock = site.lock(bucket, owner)
    again = f"the same command goes on; gymops secrets list {environment}"
    with doubtful("it is not known how far it is", again), lock.take(lambda: settled(site)) as held:
        app = _Asked(site, App(site, bucket), held)
        if problem := app.problem():
            raise GateRefused(
                f"{environment} does not answer, so nobody could tell whether a new value works: {problem}",
                hint=f"gymops status {environment}; nothing was rotated",
            )
        for was in wanted:
            one = replace(was, secret=keeper.find(was.secret.arn, was.secret.region) or was.secret)
            if one.way in OURS:
                _give(site, keeper, app, one, text)
            else:
                _begin(site, keeper, app, one)
            site.talk.say(f"{one.name}: done, and {environment} answers")


def _give(site: Site, keeper: Keeper, app: _Asked, one: Known, text: str | None) -> None:
    """Through the stages, from wherever it is."""
    seconds, secret = app.seconds(), one.secret
    old, new = secret.current, secret.pending
    if new is not None and text is not None:
        keeper.move(secret, "AWSPENDING", None, new)  # what somebody else began is not what is wanted now
        new = None
    if new is None:
        new = keeper.pend(secret, one.rule, text, str(uuid.uuid4()))
        site.talk.say(f"{one.name}: a new value is pending")
    else:
        site.talk.say(f"{one.name}: goes on with the value that is pending")
    if new != old:
        app.wait(seconds, f"{one.name}: until every process knows it")
        if problem := app.problem():
            keeper.move(secret, "AWSPENDING", None, new)
            raise NotTakenUp(
                f"{one.name}: the app does not take the new value, so it was never in force: {problem}",
                hint=f"the old one holds; gymops logs {site.deployment.name}",
            )
        app.held.check()
        keeper.move(secret, "AWSCURRENT", new, old)
        site.talk.say(f"{one.name}: the new value is in force")
    else:
        old = secret.stages.get("AWSPREVIOUS", "")
    app.wait(seconds, f"{one.name}: until no process uses the one before any more")
    if problem := app.problem():
        _return(site, keeper, app, one, (old, new), problem)
    keeper.move(secret, "AWSPENDING", None, new)


def _return(
    site: Site, keeper: Keeper, app: _Asked, one: Known, versions: tuple[str, str], problem: str
) -> None:
    """The value before, which has become AWSPREVIOUS."""
    old, new = versions
    look = f"gymops logs {site.deployment.name}"
    try:
        app.held.check()
        if not old:
            raise GymopsError("there is no value before it")
        keeper.move(one.secret, "AWSCURRENT", old, new)
        keeper.move(one.secret, "AWSPENDING", None, new)
    except GymopsError as error:
        if error.unknown:
            raise
        raise NotReturned(
            f"{one.name}: the app does not answer with the new value ({problem}), and the one before could"
            f" not be put back: {error.message}",
            hint=f"{look}; aws secretsmanager update-secret-version-stage puts AWSCURRENT back",
        ) from error
    raise NotTakenUp(
        f"{one.name}: the app does not answer with the new value, and the one before is back: {problem}",
        hint=look,
    )


def _begin(site: Site, keeper: Keeper, app: _Asked, one: Known) -> None:
    """A rotation that AWS carries out: begin it, or find it begun, and wait."""
    before, environment = one.secret, site.deployment.name
    keeper.rotate(before, str(uuid.uuid4()))
    site.talk.say(f"{one.name}: {one.who} is at it")
    for gone in ticks(site.clock, timeout=_PATIENCE, interval=_INTERVAL):
        app.held.check()
        secret = keeper.find(before.arn, before.region)
        if secret and secret.current != before.current:
            break
        if one.way is Way.FUNCTION and gone and secret and not secret.pending:
            raise NotTakenUp(
                f"{one.name}: its rotation function failed, and the old value holds",
                hint=f"the log of {before.function} says why",
            )
    else:
        raise Unknown(
            f"{one.name}: after {_PATIENCE / 60:.0f} minutes no new value; {one.who} may still be at it",
            hint=f"gymops secrets list {environment}; the same command waits again",
        )
    if problem := app.problem():
        raise GymopsError(
            f"{one.name}: there is a new value, and {environment} does not answer: {problem}",
            hint=f"gymops logs {environment}; running it again makes another value",
        )


@dataclass(frozen=True)
class _Asked:
    """The app, asked through the alias that serves, and its database through the one-shot function."""

    site: Site
    app: App
    held: Held

    def seconds(self) -> float:
        """How long it may go on with what it has read.

        Raises:
            GateRefused: it does not say; it may read its secrets once and never again.
        """
        told = self.app.outputs().get(SECONDS, "")
        if not told.isdecimal():
            raise GateRefused(
                f"nothing says when the app reads its secrets again: its stack has no output {SECONDS}",
                hint="docs/any-app.md says what that asks of the app",
            )
        return float(told)

    def problem(self) -> str | None:
        """Why it does not answer, after a few tries; None if it does."""
        problem = None
        for _ in ticks(self.site.clock, timeout=(_TRIES - 1) * _PAUSE, interval=_PAUSE):
            self.held.check()
            try:
                self._ask()
            except GymopsError as error:
                if error.unknown:
                    raise
                problem = error.message
            else:
                return None
        return problem

    def _ask(self) -> None:
        runs = self.app.runs
        asked = smoke.ask_all(lambda event: runs.by.invoke(runs.name, event, runs.alias), self.app.paths())
        smoke.refuse(asked, self.site.deployment.name, served=True)
        if database := self.app.outputs().get("DatabaseFunctionName"):
            self.app.work(database, {"do": "schema-current"})  # connects anew, with the secret as it is

    def wait(self, seconds: float, why: str) -> None:
        """Let them read."""
        self.site.talk.say(f"{why} ({seconds + _SLACK:.0f} s)")
        for _ in ticks(self.site.clock, timeout=seconds + _SLACK, interval=_INTERVAL):
            self.held.check()
