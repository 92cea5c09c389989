"""Metrics in CloudWatch's embedded metric format: log lines that CloudWatch turns into metrics.

Each pair of a metric and its dimensions' values is billed as a metric of its own, so dimensions hold only
what a handful of values can: the service, the type of an event, the outcome of what was said.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, Self

from gymops.app.activity import Activity
from gymops.clock import Clock
from gymops.errors import ConfigError

_log = logging.getLogger("gymops.app.metrics")

_SWITCH = {"": None, "on": True, "off": False}


class Metrics:
    """What is counted and timed, written by the logger that writes the rest."""

    def __init__(self, *, clock: Clock, namespace: str, service: str, cold: bool) -> None:
        self._clock = clock
        self._namespace = namespace
        self._service = service
        self._cold = cold

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, clock: Clock) -> Self | None:
        """On in Lambda and off elsewhere, unless ``GYMOPS_APP_METRICS`` says on or off.

        Raises:
            ConfigError: it says something else.
        """
        function = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        switch = environ.get("GYMOPS_APP_METRICS", "").strip().lower()
        if switch not in _SWITCH:
            raise ConfigError("GYMOPS_APP_METRICS is neither on nor off")
        chosen = _SWITCH[switch]
        if not (bool(function) if chosen is None else chosen):
            return None
        return cls(
            clock=clock,
            namespace=environ.get("GYMOPS_APP_METRICS_NAMESPACE") or "TitanTrakr",
            service=environ.get("GYMOPS_APP_SERVICE") or function or "titan-trakr",
            # Provisioned environments are started ahead of their requests, and nobody waits.
            cold=environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") in {"on-demand", "snap-start"},
        )

    def request(self, activity: Activity, seconds: float) -> None:
        """A request was answered."""
        self._write(
            {"Duration": (round(seconds * 1000, 3), "Milliseconds"), "ColdStart": (self._woken(), "Count")}
        )
        for event_type, count in Counter(event_type for _, event_type in activity.events).items():
            self._write({"EventsAppended": (count, "Count")}, EventType=event_type)
        if activity.voice:
            self._write({"VoiceRequests": (1, "Count")}, Outcome=activity.voice)

    def woken(self) -> None:
        """An invocation that is no request took the cold start upon itself."""
        self._write({"ColdStart": (self._woken(), "Count")})

    def _woken(self) -> int:
        """1 for the first invocation of a cold container, then 0: the average is the rate."""
        cold, self._cold = self._cold, False
        return int(cold)

    def _write(self, values: Mapping[str, tuple[float, str]], **dimensions: str) -> None:
        by = {"Service": self._service, **dimensions}
        directive = {
            "Namespace": self._namespace,
            "Dimensions": [list(by)],
            "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()],
        }
        document: dict[str, Any] = {
            "_aws": {
                "Timestamp": int(self._clock.now().timestamp() * 1000),
                "CloudWatchMetrics": [directive],
            },
            **by,
            **{name: value for name, (value, _) in values.items()},
        }
        _log.info("metrics", extra={"fields": document})
