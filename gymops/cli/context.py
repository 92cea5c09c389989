"""The composition root: settings become adapters here and nowhere else."""

from __future__ import annotations

from pathlib import Path

import click

from gymops import config


def settings(ctx: click.Context) -> config.Settings:
    """The settings of this run."""
    flags = ctx.find_root().obj or {}
    file = flags.get("config")
    return config.load(Path(file) if file else None, home=flags.get("home"))
