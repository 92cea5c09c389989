"""Fake plans whose effects are counted, and a process that carries one out and is killed at a chosen write.

``python -m tests.integration.release.plans '{...}'``: see ``main``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gymops.clock import SystemClock
from gymops.deploy.release.journal import Journal
from gymops.deploy.release.lock import Lock, Owner
from gymops.deploy.release.operation import Operation
from gymops.deploy.release.plan import Context, Happened, Outcome, Plan, Request, Step
from gymops.deploy.release.run import carry_out
from gymops.errors import GymopsError
from gymops.store.directory import DirectoryObjects
from gymops.store.objects import Objects, Stored

CLOCK = SystemClock()
MOMENTS = ("before", "during", "after")
REQUEST = Request("deploy", "gymops deploy staging", "ann", {"Size": "512"}, "sha256:1")


class Broken(GymopsError):
    """A step fails."""


class Fence:
    """A guard that is never lost."""

    left: str | None = None

    def __init__(self, fence: int = 1) -> None:
        self.fence = fence

    def check(self) -> None:
        pass

    def working_on(self, operation: str) -> None:
        pass


class Effects:
    """What steps did, in a folder: a line for each time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def do(self, context: Context) -> str:
        with (self.folder / context.step).open("a") as file:
            file.write(context.token + "\n")
        return self.result(context)

    def look(self, context: Context) -> Happened | None:
        return Happened(self.result(context)) if (self.folder / context.step).exists() else None

    def put(self, context: Context) -> str:
        (self.folder / context.step).write_text(context.token + "\n")
        return self.result(context)

    def fail(self, context: Context) -> str:
        raise Broken(f"{context.step} is broken", hint="mend it")

    @staticmethod
    def result(context: Context) -> str:
        return "+".join([*context.results.values(), context.step])

    def counted(self) -> dict[str, list[str]]:
        return {file.name: file.read_text().split() for file in self.folder.iterdir()}


def plan(kind: str, effects: Effects) -> Plan:
    """``two``, ``five``, or ``failing``: the second of three steps fails, and the recovery has two."""
    once = [Step(name, effects.do, effects.look) for name in ("build", "stack", "smoke")]
    often = [Step(name, effects.put) for name in ("push", "shift")]
    if kind == "two":
        return Plan((once[0], often[0]))
    if kind == "five":
        return Plan((once[0], often[0], once[1], once[2], often[1]))

    def rolled_back(context: Context) -> Outcome:
        effects.do(context)
        return Outcome.ROLLED_BACK

    def looked(context: Context) -> Happened | None:
        return Happened(Outcome.ROLLED_BACK) if (effects.folder / context.step).exists() else None

    return Plan(
        (once[0], Step("broken", effects.fail), once[1]),
        (Step("undo", effects.put), Step("record", rolled_back, looked)),
    )


WRITES = {"two": 6, "five": 12, "failing": 10}
"""The record itself, two for each step, the outcome."""


class Dying:
    """A store whose user is killed at its nth write: before it, in the middle of it, or when it is done."""

    def __init__(self, objects: Objects, write: int, moment: str) -> None:
        self._objects = objects
        self._left = write
        self._moment = moment

    def get(self, key: str) -> Stored | None:
        return self._objects.get(key)

    def keys(self, prefix: str) -> Sequence[str]:
        return self._objects.keys(prefix)

    def delete(self, key: str, etag: str | None = None) -> None:
        self._objects.delete(key, etag)

    def create(self, key: str, data: bytes) -> str:
        self._maybe("before")
        etag = self._objects.create(key, data)
        self._maybe("after")
        return etag

    def replace(self, key: str, data: bytes, etag: str) -> str:
        self._maybe("before")
        etag = self._objects.replace(key, data, etag)
        self._maybe("after")
        return etag

    def _maybe(self, moment: str) -> None:
        self._left -= moment == "before"
        if self._left:
            return
        if moment == self._moment:
            die()
        if moment == "before" and self._moment == "during":
            _die_in_the_middle()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_in_the_middle() -> None:
    """A file is written and not yet in its place; a request is sent and nobody waits for the answer."""
    import urllib3.connection

    setattr(Path, "replace", lambda *_: die())  # noqa: B010 - mypy knows that a method is no attribute
    setattr(urllib3.connection.HTTPConnection, "getresponse", lambda *_: die())  # noqa: B010 - as above


def store(place: dict[str, str]) -> Objects:
    """``{"folder"}``, or ``{"url", "bucket"}``."""
    if "folder" in place:
        return DirectoryObjects(Path(place["folder"]), CLOCK)
    from gymops.aws.account import Account
    from gymops.aws.s3 import S3Objects

    account = Account("us-east-1", endpoint=place["url"], number="111111111111")
    return S3Objects(account.client("s3"), place["bucket"], CLOCK)


def carry(objects: Objects, kind: str, effects: Effects, fence: int) -> Operation:
    """What a command does."""
    wanted = plan(kind, effects)
    return carry_out(Journal(objects, "staging", CLOCK).begin(REQUEST, wanted, Fence(fence)), wanted, CLOCK)


def main(given: dict[str, Any]) -> None:
    """``store``, ``effects``, ``plan``, ``fence``, and the ``write`` and ``moment`` to die at; or ``seconds``
    and perhaps ``wait``: a command with a real lock, that says what it does and waits inside its first step
    until a file is there.
    """
    effects = Effects(Path(given["effects"]))
    objects = store(given["store"])
    if "seconds" not in given:
        carry(Dying(objects, given["write"], given["moment"]), given["plan"], effects, given["fence"])
        return
    wanted = plan(given["plan"], effects)
    if wait := given.get("wait"):
        first = wanted.steps[0]
        wanted = Plan(
            (
                Step(first.name, lambda context: _wait(Path(wait), effects, context), first.look),
                *wanted.steps[1:],
            )
        )
    lock = Lock(objects, "staging", Owner("ann", "here", os.getpid()), CLOCK, seconds=given["seconds"])
    try:
        with lock.take(lambda: True) as held:
            entry = Journal(objects, "staging", CLOCK).begin(REQUEST, wanted, held)
            carry_out(entry, wanted, CLOCK)
    except (GymopsError, KeyboardInterrupt) as error:
        print(json.dumps(error.as_dict() if isinstance(error, GymopsError) else "interrupted"), flush=True)
        sys.exit(error.exit_code if isinstance(error, GymopsError) else 130)


def _wait(until: Path, effects: Effects, context: Context) -> str:
    print("waiting", flush=True)
    deadline = time.monotonic() + 120
    while not until.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return effects.do(context)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
