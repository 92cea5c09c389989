"""RDS Proxy: an address that forwards to the instance.

On AWS a proxy is a name at the engine's own port, and templates rely on that. So each proxy has a loopback
address of its own, and listens there on 5432 and on its instance's port. Where only 127.0.0.1 exists (macOS)
it is that, and the instance's port leads to the instance itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import secrets
import socket
import threading
from collections.abc import Callable
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.rds import records

_NET = "127.77"
_PORT = 5432
_ONLY = "127.0.0.1"


class Proxies:
    """The open forwarders."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], asyncio.Server] = {}
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()

    def install(self) -> None:
        """Give proxies an address when they are made; forward from then on."""
        threading.Thread(target=self._loop.run_forever, daemon=True, name="gymops-proxies").start()
        actions = records.rds()._ACTION_MAP
        actions["CreateDBProxy"] = self._creating(actions["CreateDBProxy"])
        actions["RegisterDBProxyTargets"] = self._then_catch_up(actions["RegisterDBProxyTargets"])

    def catch_up(self) -> None:
        """Open what is wanted and not open, close what is gone."""
        wanted = {}
        for (account, region, _), proxy in list(records.rds()._db_proxies._data.items()):
            address = proxy["Endpoint"]
            if not address.startswith(_NET):
                continue
            ports = {_PORT, _target_port(account, region, proxy)} - {None}
            for port in ports:
                wanted[address, int(port or _PORT)] = (account, region, proxy)
        with self._lock:
            for key in [key for key in self._open if key not in wanted]:
                self._loop.call_soon_threadsafe(self._open.pop(key).close)
            for key, target in wanted.items():
                if key not in self._open:
                    # Another program may listen on 5432 of every address; the instance's port remains.
                    with contextlib.suppress(OSError):
                        self._open[key] = self._listen(*key, target)

    def _listen(self, address: str, port: int, target: tuple[str, str, Any]) -> asyncio.Server:
        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            to = _target_port(*target)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                if to is not None:
                    there, back = await asyncio.open_connection(_ONLY, to)
                    await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
            writer.close()

        start = asyncio.start_server(forward, address, port)
        return asyncio.run_coroutine_threadsafe(start, self._loop).result(10)

    def _creating(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def create(parameters: Any) -> Any:
            status, headers, body = original(parameters)
            if status >= 400:
                return status, headers, body
            rds = records.rds()
            proxy = rds._db_proxies[rds._p(parameters, "DBProxyName")]
            old, proxy["Endpoint"] = proxy["Endpoint"], self._address()
            self.catch_up()
            return status, headers, re.sub(re.escape(old).encode(), proxy["Endpoint"].encode(), body)

        return create

    def _then_catch_up(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def act(parameters: Any) -> Any:
            found = original(parameters)
            self.catch_up()
            return found

        return act

    def _address(self) -> str:
        taken = {proxy["Endpoint"] for proxy in records.rds()._db_proxies._data.values()}
        candidates = (f"{_NET}.{number // 250}.{number % 250 + 1}" for number in range(1, 62_500))
        if not _exists(f"{_NET}.0.2"):
            return _ONLY
        free = (address for address in candidates if address not in taken)
        # Several local AWS may run on one machine: where the port is taken, the address is another one's.
        own = (address for address in itertools.islice(free, 200) if _can_listen(address, _PORT))
        return next(own, f"{_NET}.250.{secrets.randbelow(250) + 1}")


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            writer.close()


def _target_port(account: str, region: str, proxy: Any) -> int | None:
    with ministack.scope(account, region):
        for target in proxy["Targets"]:
            found = records.instances().get(target["RdsResourceId"])
            if found:
                return int(found["Endpoint"]["Port"])
    return None


def _can_listen(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def _exists(address: str) -> bool:
    return _can_listen(address, 0)
