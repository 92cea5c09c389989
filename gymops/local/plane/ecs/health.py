"""Health checks of target groups: each target is asked, and what it answers decides.

What passes is noticed at once and not an interval later; what fails is counted at the interval's pace, as on
AWS.
"""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from gymops.local.plane import ministack

INITIAL, HEALTHY, UNHEALTHY = "initial", "healthy", "unhealthy"
_SOON = 0.25
"""Seconds between two looks at a target that has not passed yet."""
_OFTEN = 1.0

Where = tuple[str, str, int]
"""A target group's ARN, a target's address and its port."""


@dataclass
class Target:
    """One target, as it was seen last."""

    state: str = INITIAL
    reason: str = "Elb.RegistrationInProgress"
    told: str = "Target registration is in progress"
    passed: int = 0
    failed: int = 0
    counted: float = field(default_factory=time.monotonic)
    """When a failure was counted last."""

    def add(self, problem: str, group: dict[str, Any], now: float) -> None:
        """Count a look; the first one that passes makes a new target healthy."""
        if not problem:
            self.passed, self.failed = self.passed + 1, 0
            if self.state != UNHEALTHY or self.passed >= int(group["HealthyThresholdCount"]):
                self.state, self.reason, self.told = HEALTHY, "", ""
        elif now - self.counted >= int(group["HealthCheckIntervalSeconds"]):
            self.passed, self.failed, self.counted = 0, self.failed + 1, now
            if self.failed >= int(group["UnhealthyThresholdCount"]):
                self.state, self.reason, self.told = UNHEALTHY, "Target.FailedHealthChecks", problem


class Health:
    """Every registered target, each with a thread that asks it."""

    def __init__(self) -> None:
        self._targets: dict[Where, Target] = {}
        self._lock = threading.Lock()
        self._turns = itertools.count()

    def install(self) -> None:
        """Show what was seen, and send requests to what is healthy."""
        alb = ministack.service("alb")
        actions = alb._ACTION_MAP
        actions["DescribeTargetHealth"] = self._describe
        ministack.wrap(alb, "_forward_to_tg", lambda original: self._forwarding(alb, original))
        threading.Thread(target=self._look, daemon=True, name="gymops-health").start()

    def of(self, where: Where) -> Target:
        """What is known of a target; it is asked from now on."""
        with self._lock:
            found = self._targets.get(where)
            if found is None:
                found = self._targets[where] = Target()
                threading.Thread(target=self._watch, args=(where, found), daemon=True).start()
        return found

    def _look(self) -> None:
        """Targets that nobody asked about yet."""
        while True:
            for where in _registered():
                self.of(where)
            time.sleep(_SOON)

    def _watch(self, where: Where, target: Target) -> None:
        while (group := _group(where[0])) and where in _registered():
            problem = _ask(group, *where[1:]) if group["HealthCheckEnabled"] else ""
            target.add(problem, group, time.monotonic())
            time.sleep(min(_OFTEN if target.state == HEALTHY else _SOON, group["HealthCheckIntervalSeconds"]))
        with self._lock:
            self._targets.pop(where, None)

    def _describe(self, params: Any) -> Any:
        alb = ministack.service("alb")
        arn = alb._p(params, "TargetGroupArn")
        group = alb._tgs.get(arn)
        if group is None:
            return alb._error("TargetGroupNotFound", f"Target group '{arn}' not found.")
        asked = {one["Id"] for one in alb._parse_targets_param(params)}
        shown = []
        for one in alb._targets.get(arn, []):
            if asked and one["Id"] not in asked:
                continue
            port = int(one.get("Port") or group["Port"])
            seen = self.of((arn, one["Id"], port))
            why = f"<Reason>{seen.reason}</Reason><Description>{seen.told}</Description>" * bool(seen.reason)
            shown.append(
                f"<member><Target><Id>{one['Id']}</Id><Port>{port}</Port></Target>"
                f"<HealthCheckPort>{port}</HealthCheckPort>"
                f"<TargetHealth><State>{seen.state}</State>{why}</TargetHealth></member>"
            )
        inner = f"<TargetHealthDescriptions>{''.join(shown)}</TargetHealthDescriptions>"
        return alb._xml(200, "DescribeTargetHealth", inner)

    def _forwarding(self, alb: Any, original: Any) -> Any:
        async def forward(tg_arn: str, *arguments: Any) -> Any:
            group = alb._tgs.get(tg_arn)
            if group is None or group.get("TargetType") == "lambda":
                return await original(tg_arn, *arguments)
            by_state: dict[str, list[Any]] = {}
            for one in alb._targets.get(tg_arn, []):
                where = (tg_arn, one["Id"], int(one.get("Port") or group["Port"]))
                by_state.setdefault(self.of(where).state, []).append(one)
            # Where none is healthy the others are asked, as on AWS; one that only begins is not.
            open_ = by_state.get(HEALTHY) or by_state.get(UNHEALTHY)
            if not open_:
                return 503, {"Content-Type": "text/html"}, b"503 Service Temporarily Unavailable"
            method, path, headers, body, query, raw_query, raw_path = arguments
            target = open_[next(self._turns) % len(open_)]
            return await alb._proxy_http_target(
                target, group, method, raw_path or path, headers, body, query, raw_query
            )

        return forward


def _registered() -> set[Where]:
    alb = ministack.service("alb")
    found = set()
    for (_, arn), targets in list(alb._targets._data.items()):
        group = _group(arn)
        if group and group.get("TargetType") != "lambda":
            found |= {(arn, str(one["Id"]), int(one.get("Port") or group["Port"])) for one in list(targets)}
    return found


def _group(arn: str) -> dict[str, Any] | None:
    region, account = arn.split(":")[3:5]
    found: dict[str, Any] | None = ministack.service("alb")._tgs.get_scoped(account, region, arn, None)
    return found


def _ask(group: dict[str, Any], address: str, port: int) -> str:
    """What is wrong with a target's answer; empty: nothing."""
    wanted = str(group["Matcher"].get("HttpCode") or "200")
    at = port if group["HealthCheckPort"] == "traffic-port" else int(group["HealthCheckPort"])
    connection = http.client.HTTPConnection(address, at, timeout=float(group["HealthCheckTimeoutSeconds"]))
    try:
        connection.request("GET", group["HealthCheckPath"], headers={"User-Agent": "ELB-HealthChecker/2.0"})
        status = connection.getresponse().status
    except TimeoutError:
        return "Request timed out"
    except (OSError, http.client.HTTPException):
        return "Health checks failed"
    finally:
        connection.close()
    return "" if _matches(status, wanted) else f"Health checks failed with these codes: [{status}]"


def _matches(status: int, wanted: str) -> bool:
    for part in wanted.split(","):
        first, _, last = part.partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False
