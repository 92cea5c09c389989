"""The API, one module for each kind of resource."""

from __future__ import annotations

from fastapi import APIRouter

from gymops.app.routes import events, health, projections, session, voice

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    session.router,
    events.router,
    projections.router,
    voice.router,
)
"""All routes; those of the last three know their user."""
