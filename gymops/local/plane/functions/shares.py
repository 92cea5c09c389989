"""Alarms of a stack on what is reckoned from several metrics, as the share of calls that fail.

Arithmetic and the sum of all metrics, and no more of CloudWatch's metric math: anything else is refused when
the stack is made. A query (``SELECT``) is recorded and finds nothing, as only AWS's own services count what
it asks for.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.types.kind import typed

_REFUSED = (
    "The local AWS reckons alarms by + - * / and SUM(METRICS()) of metrics with a MetricStat; not by {}"
)
_DOES: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip

Named = Mapping[str, float | None]


def install() -> None:
    """Let a stack have such an alarm."""
    made_by = ministack.module("ministack.services.cloudformation.provisioners")
    ministack.wrap(made_by, "_cw_metric_alarm_record", _recording)


def _recording(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def record(name: str, props: dict[str, Any]) -> dict[str, Any]:
        metrics = typed(props.get("Metrics"))
        if not metrics:
            return original(name, props)
        given = {one["Id"]: one["MetricStat"] for one in metrics if "MetricStat" in one}
        expression(metrics, dict.fromkeys(given, 1.0))
        period = next((one["Period"] for one in (*given.values(), *metrics) if "Period" in one), 60)
        of_one = {"Metrics": None, "MetricName": "-", "Namespace": "-", "Period": period}
        return {**original(name, {**props, **of_one}), "Metrics": metrics, "MetricName": "", "Namespace": ""}

    return record


def expression(metrics: list[Mapping[str, Any]], values: Named) -> float | None:
    """What the expression comes to; None where a value is missing, or there is nothing to divide by.

    Raises:
        ValueError: it is more than arithmetic, or names what is not there.
    """
    (text,) = [one["Expression"] for one in metrics if "Expression" in one] or [""]
    if str(text).startswith("SELECT "):
        return None
    try:
        return _reckoned(ast.parse(str(text), mode="eval").body, values)
    except SyntaxError:
        raise ValueError(_REFUSED.format(text)) from None


def _reckoned(node: ast.expr, values: Named) -> float | None:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Call() if ast.unparse(node) == "SUM(METRICS())":
            there = [one for one in values.values() if one is not None]
            return sum(there) if there else None
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _DOES:
            one, other = _reckoned(left, values), _reckoned(right, values)
            if one is None or other is None or (isinstance(op, ast.Div) and other == 0):
                return None
            return _DOES[type(op)](one, other)
    raise ValueError(_REFUSED.format(ast.unparse(node)))
