"""The emulator's process: the emulator, with what we add put in before it serves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gymops.local.settings import LocalSettings, load

REGION = "us-east-1"


def main(file: Path) -> int:
    """Serve until told to end."""
    settings = load(file)
    _set_environment(settings)
    from gymops.local.plane import ministack

    ministack.check()
    serve(settings)
    return 0


def serve(settings: LocalSettings) -> None:
    """Put the plane in, then serve on loopback."""
    import asyncio

    from gymops.local.plane import ministack
    from gymops.local.plane.plane import Plane

    app = ministack.module("ministack.app").app
    # The server the emulator comes with; it is in its environment only.
    config = ministack.module("hypercorn.config").Config()
    config.bind = [f"127.0.0.1:{settings.port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 3
    config.loglevel = "WARNING"
    plane: Any = Plane(settings).install().around(app)
    asyncio.run(ministack.module("hypercorn.asyncio").serve(plane, config))


def _set_environment(settings: LocalSettings) -> None:
    """The emulator reads its settings when it is imported."""
    os.environ |= {
        "GATEWAY_PORT": str(settings.port),
        "BIND_HOST": "127.0.0.1",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(settings.state / "aws"),
        # Objects are written as they come; without this their bodies live in memory only.
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(settings.state / "s3"),
        "MINISTACK_REGION": REGION,
        "LOG_LEVEL": "WARNING",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        # It looks for containers to remove at its start and end; here it must find none.
        "DOCKER_HOST": f"unix://{settings.state}/no-docker",
        # What functions call.
        "AWS_ENDPOINT_URL": settings.url,
    }
