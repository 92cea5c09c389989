"""The app over HTTP, as a program speaks to it: what tests prepare, and look at behind the page's back."""

from __future__ import annotations

import hashlib
import json
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.browser.chromium import PATIENCE, at_rest

if TYPE_CHECKING:
    from playwright.sync_api import Page


@dataclass(frozen=True)
class Api:
    url: str
    pages: list[Page] = field(default_factory=list)
    """Pages that are open; nothing is looked at or done behind them before they are at rest."""

    def get(self, path: str) -> Any:
        return self._ask(urllib.request.Request(f"{self.url}/api{path}"))  # noqa: S310

    def post(self, path: str, body: dict[str, Any]) -> Any:
        data = json.dumps(body).encode()
        headers = {
            "content-type": "application/json",
            "x-amz-content-sha256": hashlib.sha256(data).hexdigest(),
        }
        return self._ask(urllib.request.Request(f"{self.url}/api{path}", data, headers))  # noqa: S310

    def _ask(self, request: urllib.request.Request) -> Any:
        for page in self.pages:
            at_rest(page)
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:  # noqa: S310
            return json.load(response)

    def event(self, event_type: str, **payload: Any) -> dict[str, Any]:
        stored: dict[str, Any] = self.post("/events", {"event_type": event_type, "payload": payload})
        return stored

    def start(self, name: str | None = None, *exercise_ids: str) -> str:
        """A workout in progress; its id."""
        workout_id = str(uuid.uuid4())
        self.event("WorkoutStarted", workout_id=workout_id, name=name, exercise_ids=list(exercise_ids))
        return workout_id

    def log(self, workout_id: str, exercise_id: str, weight: float, reps: int, unit: str = "kg") -> None:
        self.event(
            "SetLogged", workout_id=workout_id, exercise_id=exercise_id, weight=weight, reps=reps, unit=unit
        )

    def finished(self, name: str, *sets: tuple[str, float, int]) -> str:
        """A finished workout; its id."""
        workout_id = self.start(name)
        for one in sets:
            self.log(workout_id, *one)
        self.event("WorkoutCompleted", workout_id=workout_id)
        return workout_id

    @property
    def current(self) -> dict[str, Any] | None:
        current: dict[str, Any] | None = self.get("/projections/current_workout")["data"]
        return current

    @property
    def sets(self) -> list[tuple[str, float, int | None, str]]:
        """The sets of the workout in progress, in order."""
        exercises = (self.current or {"exercises": []})["exercises"]
        return [
            (exercise["exercise_id"], one["weight"], one["reps"], one["unit"])
            for exercise in exercises
            for one in exercise["sets"]
        ]
