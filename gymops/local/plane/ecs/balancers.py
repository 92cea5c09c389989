"""Load balancers on ports of their own: ``http://127.0.0.1:PORT``, whatever their listeners' are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from gymops.local import ports
from gymops.local.plane import ministack

Handlers = dict[str, Any]
_TYPE = "AWS::ElasticLoadBalancingV2::LoadBalancer"


def addressed() -> tuple[str, Handlers]:
    """The emulator's type, whose load balancers can be reached as soon as they are made."""
    there = ministack.handlers()[_TYPE]

    def create(logical_id: str, props: dict[str, Any], stack: str) -> Any:
        arn, attributes = there["create"](logical_id, props, stack)
        return arn, {**attributes, "DNSName": _address(ministack.service("alb")._lbs[arn])}

    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> Any:
        arn, attributes = there["update"](physical_id, old, new, stack, logical_id)
        return arn, {**attributes, "DNSName": _address(ministack.service("alb")._lbs[arn])}

    return _TYPE, {**there, "create": create, "update": update}


def open_ones() -> Iterator[tuple[str, int, Callable[..., Any]]]:
    """Each with a name, its port, and what answers there."""
    for (account, region, arn), balancer in list(ministack.service("alb")._lbs.all_items()):
        port = int(_address(balancer).rpartition(":")[2])
        yield f"balancer {arn}", port, serving(account, region, balancer)


def _address(balancer: dict[str, Any]) -> str:
    if not balancer["DNSName"].startswith("127.0.0.1:"):
        balancer["DNSName"] = f"127.0.0.1:{ports.free_port()}"
    return str(balancer["DNSName"])


def serving(account: str, region: str, balancer: dict[str, Any]) -> Callable[..., Any]:
    """What answers for it."""

    async def serve(
        method: str, path: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes, raw: str
    ) -> Any:
        alb = ministack.service("alb")
        with ministack.scope(account, region):
            arn = balancer["LoadBalancerArn"]
            listeners = [one for one in alb._listeners.values() if one["LoadBalancerArn"] == arn]
            # One port stands for all: the listener that was made first is the one that answers.
            port = listeners[0]["Port"] if listeners else 80
            status, answered, content = await alb.dispatch_request(
                balancer, method, path, headers, body, query, port=port, client_ip="127.0.0.1",
                raw_query_string=raw,
            )  # fmt: skip
            if not isinstance(content, bytes):
                content = await _whole(content)
        return status, answered, content

    return serve


async def _whole(streaming: Any) -> bytes:
    """What a target answers, piece by piece, put together."""
    pieces: list[bytes] = []

    async def send(message: dict[str, Any]) -> None:
        pieces.append(message.get("body", b""))

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()  # nobody hangs up before the end
        return {}

    await streaming.runner(send, receive)
    return b"".join(pieces)
