"""What an image starts: ``python -m gymops.app.entry``.

Where Lambda's runtime API is, it runs the function (an argument names another handler). Elsewhere it runs
the server, with ``health`` it asks that server, and any other command line it becomes, as in
``python -m gymops schema upgrade``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from gymops.errors import ConfigError, GymopsError

HANDLER = "gymops.app.handler.handler"


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

    logs.configure()
    host = environ.get("GYMOPS_APP_HOST") or "0.0.0.0"  # noqa: S104
    try:
        port = _port(environ)
        built = container.build(environ, bind=host)
    except GymopsError as error:
        sys.stderr.write(f"{error.message}\n{error.hint or ''}\n")
        return error.exit_code
    try:
        uvicorn.run(
            built.app,
            host=host,
            port=port,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=20,
        )
    finally:
        built.store.close()
    return 0


def _health(environ: Mapping[str, str]) -> int:
    """Ask the server of this container, without importing the app."""
    import http.client

    path = environ.get("GYMOPS_APP_HEALTH_PATH") or "/api/health"
    server = http.client.HTTPConnection("127.0.0.1", _port(environ), timeout=3)
    try:
        server.request("GET", path)
        return 0 if server.getresponse().status == 200 else 1
    except OSError:
        return 1
    finally:
        server.close()


def _port(environ: Mapping[str, str]) -> int:
    text = environ.get("GYMOPS_APP_PORT") or "8080"
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65_535:
        raise ConfigError(f"GYMOPS_APP_PORT is {text!r}", hint="give a number from 1 to 65535")
    return int(text)


def _become(command: list[str]) -> NoReturn:
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
