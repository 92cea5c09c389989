"""What functions do as CloudWatch counts it by alias, and the alarms that look at it.

The emulator counts calls by the function's name only, leaves those of function URLs out, and its alarms look
at all points of a metric's name whatever their dimensions. Here a call of an alias or a version also counts
for ``Resource``, as on AWS, and an alarm sees its own metric, period by period.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.context import Context
from gymops.local.plane.functions import shares

_RESOURCE: ContextVar[str | None] = ContextVar("gymops_resource", default=None)
_KEPT_SECONDS = 3 * 3600.0
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}

Point = Mapping[str, Any]
Value = Callable[[Sequence[Point]], float | None]


class Metrics:
    """The points of functions, and the alarms' states."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def install(self) -> None:
        """Count by alias, and look at the alarms as CloudWatch does."""
        watch = ministack.service("cloudwatch")
        ministack.wrap(watch, "record_metric", self._recording)
        ministack.wrap(watch, "_evaluate_alarm", self._evaluating)
        shares.install()

    def tick(self) -> None:
        """Look at every alarm; called now and then."""
        watch = ministack.service("cloudwatch")
        for account, region, name in [key for key, _ in list(watch._alarms.all_items())]:
            with ministack.scope(account, region), suppress(KeyError):
                watch._evaluate_alarm(watch._alarms[name])

    def _recording(self, original: Callable[..., None]) -> Callable[..., None]:
        def record(
            namespace: str, metric_name: str, value: float, unit: str = "None",
            dimensions: dict[str, str] | None = None,
        ) -> None:  # fmt: skip
            original(namespace, metric_name, value, unit, dimensions)
            if namespace == "AWS/Lambda" and (resource := _RESOURCE.get()):
                watch, also = ministack.service("cloudwatch"), {**(dimensions or {}), "Resource": resource}
                points = watch._metric_bucket((namespace, metric_name, watch._dims_key(also)))
                now = self._now()
                points.append({"Timestamp": now, "Value": float(value), "Unit": unit, "Dimensions": also})
                while points[0]["Timestamp"] < now - _KEPT_SECONDS:
                    points.pop(0)

        return record

    def _evaluating(self, original: Callable[..., None]) -> Callable[..., None]:
        del original

        def evaluate(alarm: dict[str, Any]) -> None:
            watch = ministack.service("cloudwatch")
            statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
            several = alarm.get("Metrics")
            given = [
                {**one["MetricStat"]["Metric"], "Id": one["Id"], "Stat": one["MetricStat"]["Stat"]}
                for one in several or ()
                if "MetricStat" in one
            ] or [{**alarm, "Id": "", "Stat": statistic}]
            points = [{**point, "Id": one["Id"]} for one in given for point in _points(watch, one)]

            def value(some: Sequence[Point]) -> float | None:
                found: dict[str, float | None] = {}
                for one in given:
                    its = [point for point in some if point["Id"] == one["Id"]]
                    # Of no points the emulator takes 0.
                    found[one["Id"]] = (
                        watch._stat_value(watch._calc_stats(its), one["Stat"], its) if its else None
                    )
                return shares.expression(several, found) if several else found[""]

            state = state_of(alarm, points, value, self._now())
            before = alarm["StateValue"]
            if state is None or state == before:
                return
            reason = f"{statistic} {alarm['ComparisonOperator']} {alarm['Threshold']}: {state}"
            alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
            watch._record_history(alarm["AlarmName"], before, state, reason)
            watch._dispatch_alarm_actions(alarm, before, state, reason)
            watch._evaluate_parent_alarms(alarm)

        return evaluate

    def _now(self) -> float:
        return self._context.clock.now().timestamp()


def _points(watch: Any, metric: Mapping[str, Any]) -> list[Point]:
    given = {one["Name"]: one["Value"] for one in metric.get("Dimensions") or []}
    key = (metric.get("Namespace"), metric.get("MetricName"), watch._dims_key(given))
    return list(watch._metrics.get(key) or [])


def state_of(alarm: Mapping[str, Any], points: Sequence[Point], value: Value, now: float) -> str | None:
    """ALARM or OK; INSUFFICIENT_DATA where there was some, and none is left; None: it stays as it is.

    ALARM: of the last EvaluationPeriods periods at least DatapointsToAlarm breach the threshold. Periods are
    counted back from now, where CloudWatch's begin at full minutes. ``value`` is the alarm's statistic.
    """
    if not points:
        return None
    compare = _COMPARE.get(alarm.get("ComparisonOperator", ""))
    if compare is None:
        return None
    period, count = float(alarm.get("Period") or 60), int(alarm.get("EvaluationPeriods") or 1)
    recent = [one for one in points if one["Timestamp"] > now - period * count]
    found: list[bool] = []
    for number in range(count):
        last, first = now - period * number, now - period * (number + 1)
        held = value([one for one in recent if first < one["Timestamp"] <= last])
        if held is not None:
            found.append(compare(held, float(alarm["Threshold"])))
        elif alarm.get("TreatMissingData") in {"breaching", "notBreaching"}:
            found.append(alarm["TreatMissingData"] == "breaching")
    if not found:
        return None if alarm.get("TreatMissingData") == "ignore" else "INSUFFICIENT_DATA"
    return "ALARM" if sum(found) >= int(alarm.get("DatapointsToAlarm") or count) else "OK"


@contextmanager
def called(function: str, qualifier: str | None) -> Iterator[None]:
    """What is counted inside counts for this alias or version too."""
    token = _RESOURCE.set(f"{function}:{qualifier}" if qualifier else None)
    try:
        yield
    finally:
        _RESOURCE.reset(token)


async def counted(function: str, qualifier: str | None, answer: Awaitable[Any]) -> Any:
    """A function URL's answer, counted as any other call; one that did not reach the function is not."""
    began = time.monotonic()
    with called(function, qualifier):
        status, headers, body = await answer
        if any(name.lower() == "x-amzn-trace-id" for name in headers):
            ministack.service("lambda_svc")._emit_lambda_metrics(
                function, (time.monotonic() - began) * 1000, status == 502, status == 429
            )
    return status, headers, body
