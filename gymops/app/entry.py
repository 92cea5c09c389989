"""What an image starts: ``python -m gymops.app.entry``.

Where Lambda's runtime API is, it runs the function (an argument names another handler). Elsewhere it runs
the server, with ``health`` it asks that server, and any other command line it becomes, as in
``python -m gymops schema upgrade``.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import NoReturn

from gymops.errors import ConfigError, GymopsError

HANDLER = "gymops.app.handler.handler"

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run until told to stop; the exit code."""
    if "AWS_LAMBDA_RUNTIME_API" in environ:
        return _function(arguments[0] if arguments else HANDLER)
    if not arguments:
        return _server(environ)
    if list(arguments) == ["health"]:
        return _health(environ)
    return _become(list(arguments))


def _function(handler: str) -> int:
    from awslambdaric import __main__ as runtime

    runtime.main([runtime.__file__, handler])
    return 0


def _server(environ: Mapping[str, str]) -> int:
    """Behind a load balancer ``FORWARDED_ALLOW_IPS`` names it, as uvicorn reads it."""
    import uvicorn

    from gymops.app import container, logs
    from gymops.app.build import build_all

    logs.configure()
    try:
        host, number = _host(environ), port(environ)
        built = container.build(environ, bind=host)
    except GymopsError as error:
        sys.stderr.write(f"{error.message}\n{error.hint or ''}\n")
        return error.exit_code
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # what uvicorn does with one when it is done
    stop = threading.Event()
    building = threading.Thread(
        target=build_all, args=(built.store,), kwargs={"tell": _untold, "stop": stop}, daemon=True
    )
    building.start()
    try:
        uvicorn.run(
            built.app,
            host=host,
            port=number,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=20,
        )
    finally:
        stop.set()
        building.join(timeout=2)
        built.store.close()
    return 0


def _untold(progress: str) -> None:
    """It names users; /api/ready says how much is missing."""


def _health(environ: Mapping[str, str]) -> int:
    """Ask the server of this container, without importing the app."""
    import http.client

    path = environ.get("GYMOPS_APP_HEALTH_PATH") or "/api/health"
    host = _host(environ)
    address = "127.0.0.1" if host in _EVERYWHERE else host
    server = http.client.HTTPConnection(address, port(environ), timeout=3)
    try:
        server.request("GET", path)
        return 0 if server.getresponse().status == 200 else 1
    except OSError:
        return 1
    finally:
        server.close()


def _host(environ: Mapping[str, str]) -> str:
    return environ.get("GYMOPS_APP_HOST") or _EVERYWHERE[0]


def port(environ: Mapping[str, str]) -> int:
    """Where a server listens.

    Raises:
        ConfigError: it is no port.
    """
    text = environ.get("GYMOPS_APP_PORT") or "8080"
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65_535:
        raise ConfigError(f"GYMOPS_APP_PORT is {text!r}", hint="give a number from 1 to 65535")
    return int(text)


def _become(command: list[str]) -> NoReturn:
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
