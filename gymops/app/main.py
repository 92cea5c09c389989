"""The app put together: routes, what stands before them, and the page."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gymops import __version__
from gymops.app import library, problems
from gymops.app.auth import Authenticator
from gymops.app.auth.browser import SameOrigin
from gymops.app.auth.identity import TOKEN_HEADERS
from gymops.app.headers import SecurityHeaders
from gymops.app.limits import BodyLimit, RateLimit
from gymops.app.routes import ROUTERS, documents
from gymops.app.routes.services import Services, Understand
from gymops.app.secret import Current
from gymops.app.settings import AppSettings
from gymops.app.store import Store
from gymops.app.voice.processor import process
from gymops.clock import Clock

_PROBLEM: dict[str, Any] = {
    "description": "A problem document (RFC 9457).",
    "content": {problems.MEDIA_TYPE: {"schema": documents.Problem.model_json_schema()}},
}

STATIC = Path(__file__).with_name("web") / "static"


def _random_id() -> str:
    return str(uuid.uuid4())


def create_app(
    store: Store,
    settings: AppSettings,
    *,
    clock: Clock,
    llm: Understand | None = None,
    new_id: Callable[[], str] = _random_id,
    fetch: Callable[[str], bytes] | None = None,
    current: Callable[[], Current] | None = None,
    static: Path = STATIC,
) -> FastAPI:
    """The app on a store.

    ``llm`` is asked what the grammar misses, ``fetch`` gets the issuer's keys, ``current`` the settings with
    secrets as they are now. There is no lifespan: the store belongs to the caller.
    """
    app = FastAPI(
        title="Titan Trakr",
        version=__version__,
        openapi_url=None if settings.production else "/openapi.json",
        docs_url=None,  # these pages load scripts of third parties
        redoc_url=None,
        redirect_slashes=False,
        middleware=_before_the_routes(settings),
        responses={"default": _PROBLEM, 422: _PROBLEM},
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.services = Services(
        store=store,
        settings=settings,
        authenticator=Authenticator(settings, clock, fetch, current),
        understand=partial(process, llm=llm),
        voice_limit=RateLimit(
            clock, per_minute=settings.voice_per_minute, burst=max(10, settings.voice_per_minute // 3)
        ),
        new_id=new_id,
    )
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.router.default = _page(static)
    return app


def _before_the_routes(settings: AppSettings) -> list[Middleware]:
    """The first is the outermost."""
    middleware = [Middleware(SecurityHeaders, settings), Middleware(problems.NothingEscapes)]
    if settings.origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.origins,
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["content-type", "x-amz-content-sha256", *TOKEN_HEADERS],
                allow_credentials=True,
            )
        )
    return [*middleware, Middleware(SameOrigin, settings), Middleware(BodyLimit), Middleware(_HeadAsGet)]


def _page(folder: Path) -> ASGIApp:
    """What is not under /api: the page's files, where they were built, and the built-in exercises."""
    files = StaticFiles(directory=folder, html=True) if folder.is_dir() else None

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/data/exercises.json" and scope["method"] in {"GET", "HEAD"}:
            await FileResponse(library.FILE)(scope, receive, send)
            return
        if files is None or scope["path"].startswith("/api/"):
            raise HTTPException(404)
        await files(scope, receive, send)

    return page


class _HeadAsGet:
    """HEAD under /api is GET without the body: FastAPI's routes know only the methods they name."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or not scope["path"].startswith("/api/"):
            await self.app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app({**scope, "method": "GET"}, receive, without_body)
