"""Function URLs and HTTP APIs on ports of their own: ``http://127.0.0.1:PORT``."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from gymops.local import ports
from gymops.local.plane import ministack
from gymops.local.plane.ecs import balancers
from gymops.local.plane.faults import Fault
from gymops.local.plane.functions import metrics

_Answer = tuple[int, dict[str, str], Any]
_Serve = Callable[..., Any]
_LONGEST_SECONDS = 900.0
_HOP = frozenset({"connection", "content-length", "transfer-encoding", "keep-alive", "date", "server"})


class Addresses:
    """The open ports, by what answers at them."""

    def __init__(self) -> None:
        self._servers: dict[str, ThreadingHTTPServer] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        """Give what is created an address, and take it back when it is deleted."""
        functions, gateway = ministack.service("lambda_svc"), ministack.service("apigateway")
        ministack.wrap(functions, "_create_function_url_config", self._creating_url)
        ministack.wrap(gateway, "_create_api", self._creating_api)

    def catch_up(self) -> None:
        """Open what was saved and is not open, close what is gone; called now and then, and at the start."""
        wanted: dict[str, tuple[int, _Serve]] = {}
        for key, config in list(ministack.service("lambda_svc")._function_urls.all_items()):
            if port := _port_of(config.get("FunctionUrl", "")):
                wanted[f"url {'/'.join(key)}"] = port, _function_url(key, config)
        for key, api in list(ministack.service("apigateway")._apis.all_items()):
            if port := _port_of(api.get("apiEndpoint", "")):
                wanted[f"api {'/'.join(key)}"] = port, _http_api(key, api)
        for name, port, serve in balancers.open_ones():
            wanted[name] = port, serve
        with self._lock:
            for name in [name for name in self._servers if name not in wanted]:
                server = self._servers.pop(name)
                threading.Thread(target=_close, args=(server,), daemon=True).start()
            for name, (port, serve) in wanted.items():
                if name not in self._servers:
                    self._servers[name] = _open(port, serve)

    def _creating_url(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def create(func_name: str, data: dict[str, Any], qualifier: str | None) -> Any:
            status, headers, body = original(func_name, data, qualifier)
            if status >= 400:
                return status, headers, body
            functions = ministack.service("lambda_svc")
            config = functions._function_urls[functions._url_config_key(func_name, qualifier)]
            config["_gymops_id"] = config["FunctionUrl"].split("://")[1].partition(".")[0]
            config["FunctionUrl"] = f"http://127.0.0.1:{ports.free_port()}/"
            self.catch_up()
            return status, headers, json.dumps(_shown(config)).encode()

        return create

    def _creating_api(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def create(*arguments: Any, **named: Any) -> Any:
            status, headers, body = original(*arguments, **named)
            if status >= 400:
                return status, headers, body
            made = json.loads(body)
            api = ministack.service("apigateway")._apis[made["apiId"]]
            if api["protocolType"] != "HTTP":
                return status, headers, body
            api["apiEndpoint"] = made["apiEndpoint"] = f"http://127.0.0.1:{ports.free_port()}"
            self.catch_up()
            return status, headers, json.dumps(made).encode()

        return create


def _function_url(key: tuple[str, str, str], config: dict[str, Any]) -> _Serve:
    account, region, target = key
    name, _, qualifier = target.partition(":")

    async def serve(
        method: str, path: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes, raw: str
    ) -> _Answer:
        del raw
        with ministack.scope(account, region):
            answer = ministack.service("lambda_svc").handle_function_url_request(
                config["_gymops_id"], method, path, headers, body, query,
                resolved=(account, region, name, qualifier or None, config), source_ip="127.0.0.1",
            )  # fmt: skip
            found: _Answer = await metrics.counted(name, qualifier or None, answer)
        return found

    return serve


def _http_api(key: tuple[str, str, str], api: dict[str, Any]) -> _Serve:
    account, region, identifier = key

    async def serve(
        method: str, path: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes, raw: str
    ) -> _Answer:
        gateway = ministack.service("apigateway")
        app = ministack.module("ministack.app")
        with ministack.scope(account, region):
            first, _, rest = path.lstrip("/").partition("/")
            stage, inner = app._resolve_stage_and_path(api["apiId"], first, f"/{rest}" if rest else "/")
            found: _Answer = await gateway.handle_execute(
                identifier, stage, inner, method, headers, body, query, raw_query_string=raw
            )
        return found

    return serve


def _open(port: int, serve: _Serve) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 75

        def log_message(self, *arguments: Any) -> None:
            """The function's own log says what it did."""

        def _any(self) -> None:
            split = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            loop = ministack.module("ministack.app")._MAIN_LOOP
            # The decoded path is what the emulator's own front hands on.
            work = serve(
                self.command, unquote(split.path), parse_qs(split.query, keep_blank_values=True), headers,
                body, split.query,
            )  # fmt: skip
            try:
                status, answered, content = asyncio.run_coroutine_threadsafe(work, loop).result(
                    _LONGEST_SECONDS
                )
            except Exception as error:  # noqa: BLE001 - a fault of ours, told to the caller as AWS would
                status, answered, content = 502, {}, json.dumps({"message": str(error)}).encode()
            self.send_response(status)
            for name, value in answered.items():
                for one in value if isinstance(value, list) else [value]:
                    if name.lower() not in _HOP:
                        self.send_header(name, str(one))
            content = content if isinstance(content, bytes) else b""
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _any  # noqa: N815

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

    try:
        server = Server(("127.0.0.1", port), Handler)
    except OSError as error:
        raise Fault("ServiceException", f"port {port} is taken: {error.strerror}", 500) from error
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True, name=f"gymops-{port}"
    ).start()
    return server


def _close(server: ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()


def _port_of(address: str) -> int | None:
    split = urlsplit(address)
    return split.port if split.hostname == "127.0.0.1" else None


def _shown(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if not name.startswith("_")}
