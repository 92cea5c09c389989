"""The logs of the process, caught."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from gymops.app import logs

_CHANGED = ("", "gymops", "uvicorn", "uvicorn.access")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is written to stdout while logs are configured as in production."""
    loggers = [logging.getLogger(name) for name in _CHANGED]
    before = [(one.level, one.handlers[:], one.disabled) for one in loggers]
    out = io.StringIO()
    logs.configure(out)
    yield out
    for logger, (level, handlers, disabled) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.disabled = disabled
