"""What every route needs, and the user it works for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from gymops.app import activity
from gymops.app.auth import Authenticator, Identity
from gymops.app.body import StrictRoute
from gymops.app.limits import RateLimit
from gymops.app.settings import AppSettings
from gymops.app.store import Store
from gymops.app.voice import Context, Outcome

Understand = Callable[[str, Context], Outcome]
"""What a sentence comes to, in a context."""


@dataclass(frozen=True)
class Services:
    """Everything the routes are built from; made once for an app."""

    store: Store
    settings: AppSettings
    authenticator: Authenticator
    understand: Understand
    voice_limit: RateLimit
    new_id: Callable[[], str]
    """A UUID for an event whose client chose none."""


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Uses = Annotated[Services, Depends(_services)]


def _identity(request: Request, uses: Uses) -> Identity:
    """In a thread: an issuer's keys may have to be fetched."""
    identity = uses.authenticator.identify(request)
    activity.acts_for(identity.user)
    return identity


Who = Annotated[Identity, Depends(_identity)]


async def _user(identity: Who) -> str:
    return identity.user


User = Annotated[str, Depends(_user)]


def router(*, public: bool = False) -> APIRouter:
    """Routes under /api, closed to strangers unless said otherwise."""
    return APIRouter(
        prefix="/api",
        route_class=StrictRoute,
        dependencies=[] if public else [Depends(_identity)],
    )
