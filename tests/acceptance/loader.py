"""Somebody who uses the app all the time: ``python -m tests.acceptance.loader URL ACCOUNT REGION``.

The passcode is the first line of stdin; with its end the loader stops, and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Callable
from typing import Any

from tests.integration.stacks.signed import Answer, Signed

PAUSE = 0.25
"""Seconds between a request and the next of its kind: use, not a benchmark."""


class Loader:
    """Asks for the app's health, and logs events whose ids it chose; each kind in a thread of its own."""

    def __init__(self, new: Callable[[], Signed]) -> None:
        self._new = new
        self._stop = threading.Event()
        self._one = threading.Lock()
        self._workout: str | None = None
        """The one that is in progress."""
        self.asked = 0
        self.failed: list[str] = []
        self.acknowledged: list[str] = []
        self.releases: list[str] = []
        """What the answers say which release they come from, each change once."""

    def run(self, passcode: str, stop: Callable[[], Any]) -> None:
        """Sign in, say so, and go on until ``stop`` returns."""
        somebody = self._new()
        signed_in = somebody.post("/api/session", {"passcode": passcode})
        if signed_in.status != 204:
            raise SystemExit(f"not signed in: {signed_in.status} {signed_in.body}")
        print("ready", flush=True)
        threads = [
            threading.Thread(target=self._repeat, args=(work,))
            for work in (lambda: self._log(somebody), lambda: self._look(self._new()))
        ]
        for thread in threads:
            thread.start()
        stop()
        self._stop.set()
        for thread in threads:
            thread.join()

    def _repeat(self, work: Callable[[], None]) -> None:
        while not self._stop.wait(PAUSE):
            try:
                work()
            except OSError as error:
                self._count(f"no answer: {error}")

    def _look(self, somebody: Signed) -> None:
        answer = somebody.get("/api/health")
        self._count(None if answer.status == 200 else _told("health", answer))
        release = answer.headers.get("x-release", "")
        if self.releases[-1:] != [release]:
            self.releases.append(release)

    def _log(self, somebody: Signed) -> None:
        event, begins = str(uuid.uuid4()), self._workout is None
        workout = self._workout or str(uuid.uuid4())
        kind = "WorkoutStarted" if begins else "WorkoutDiscarded"
        body = {"event_id": event, "event_type": kind, "payload": {"workout_id": workout}}
        answer = somebody.post("/api/events", body)
        if answer.status == 201:
            self.acknowledged.append(event)
            self._workout = workout if begins else None
        self._count(None if answer.status == 201 else _told(event, answer))

    def _count(self, failure: str | None) -> None:
        with self._one:
            self.asked += 1
            if failure:
                self.failed.append(failure)


def _told(what: str, answer: Answer) -> str:
    return f"{what}: {answer.status} {answer.body!r}"


def main(url: str, account: str, region: str) -> None:
    """Run until stdin ends."""
    loader = Loader(lambda: Signed(url, account, region))
    loader.run(sys.stdin.readline().rstrip("\n"), sys.stdin.read)
    print(
        json.dumps(
            {
                "asked": loader.asked,
                "failed": loader.failed,
                "acknowledged": loader.acknowledged,
                "releases": loader.releases,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
