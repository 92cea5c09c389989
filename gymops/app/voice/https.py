"""One POST over HTTPS with a deadline for all of it: the name, the handshake, every byte of the answer."""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import ssl
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

LARGEST = 64 * 1024
"""Bytes of an answer that are read; a longer one is refused."""


class RequestFailed(Exception):
    """There is no usable answer. Neither the text nor the cause holds a header or a body."""


def post(url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> bytes:
    """The body of a 200 answer. Certificates are verified, redirects are not followed.

    A socket's own timeout starts anew with each byte, and looking up a name knows none. So the request
    runs in a thread that is left behind, its connection cut, when the time is up.

    Raises:
        RequestFailed: no answer in time, one that is not 200, or one that is too large.
    """
    try:
        connection = _connection(url, timeout)
    except ValueError:
        raise RequestFailed("the address is not one of HTTPS") from None
    answers: queue.SimpleQueue[bytes | str] = queue.SimpleQueue()
    path = urlsplit(url).path or "/"
    worker = threading.Thread(
        target=_exchange, args=(connection, path, dict(headers), body, answers), daemon=True
    )
    worker.start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise RequestFailed(f"no answer in {timeout:g} s") from None
    finally:
        _cut(connection)
    if isinstance(answer, str):
        raise RequestFailed(answer)
    return answer


def _connection(url: str, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)
    if parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}:
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    raise ValueError(parts.scheme)


def _exchange(
    connection: http.client.HTTPConnection,
    path: str,
    headers: dict[str, str],
    body: bytes,
    answers: queue.SimpleQueue[bytes | str],
) -> None:
    """In the thread: whatever happens is put on the queue in words of our own."""
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        data = response.read(LARGEST + 1)
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
        # AttributeError: http.client trips over a connection that was cut under it.
        answers.put(type(error).__name__)
        return
    if response.status != http.client.OK:
        answers.put(f"status {response.status}")
    else:
        answers.put(data if len(data) <= LARGEST else "the answer is too large")


def _cut(connection: http.client.HTTPConnection) -> None:
    """End the connection under a thread that may still read from it."""
    sock: socket.socket | None = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
