"""What a process has one of: its logs, caught, and its event loop."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator

import pytest

from gymops.app import logs

_CHANGED = ("", "gymops", "uvicorn", "uvicorn.access", "mangum.http")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is written to stdout while logs are configured as in production."""
    loggers = [logging.getLogger(name) for name in _CHANGED]
    before = [(one.level, one.handlers[:], one.disabled, one.propagate) for one in loggers]
    out = io.StringIO()
    logs.configure(out)
    yield out
    for logger, (level, handlers, disabled, propagate) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.disabled = disabled
        logger.propagate = propagate


@pytest.fixture
def event_loop() -> Iterator[None]:
    """The loop Mangum takes, or else makes and never closes: a Lambda's process has no end to close it at."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
