"""A small Lambda: the runtime API that a function's process asks for events and answers to."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_VERSION = "/2018-06-01/runtime"


class Runtime:
    """Hands out events one by one; what came back is in ``answers`` as (kind, document)."""

    def __init__(self) -> None:
        self.events: queue.Queue[Any] = queue.Queue()
        self.answers: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.address = ""
        self.ended = threading.Event()
        self._count = 0

    def invoke(self, event: Any, timeout: float = 60.0) -> tuple[str, Any]:
        """What the function makes of an event: ``("response", ...)`` or ``("error", ...)``."""
        self.events.put(event)
        return self.answers.get(timeout=timeout)

    def next_event(self) -> tuple[str, Any] | None:
        while not self.ended.is_set():
            try:
                event = self.events.get(timeout=0.1)
            except queue.Empty:
                continue
            self._count += 1
            return f"00000000-0000-4000-8000-{self._count:012}", event
        return None


@contextmanager
def running() -> Iterator[Runtime]:
    """The runtime API on a free port."""
    runtime = Runtime()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            assert self.path == f"{_VERSION}/invocation/next"
            found = runtime.next_event()
            if found is None:
                self.close_connection = True
                return
            request_id, event = found
            headers = {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 30_000),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-west-1:123456789012:function:gym",
                "Content-Type": "application/json",
            }
            self._answer(200, json.dumps(event).encode(), headers)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            runtime.answers.put((self.path.rsplit("/", 1)[-1], json.loads(body)))
            self._answer(202, b"{}", {})

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    runtime.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield runtime
    finally:
        runtime.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
