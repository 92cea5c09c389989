"""The life of every architecture that has one: a module each, with ``LIFE`` in it."""

from __future__ import annotations

import importlib
import pkgutil

from tests.integration.stacks.life import Life

_MODULES = [importlib.import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)]

LIVES: dict[str, Life] = {module.LIFE.architecture: module.LIFE for module in _MODULES}
"""By the architecture's name."""
