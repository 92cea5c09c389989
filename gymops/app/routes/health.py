"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from gymops.app.problems import Problem
from gymops.app.routes import documents, services
from gymops.app.routes.services import Uses

router = services.router(public=True)


@router.get("/health", responses={200: {"model": documents.Alive}})
async def health() -> JSONResponse:
    """The process answers; the database is not asked."""
    return JSONResponse({"status": "ok"})


@router.get("/ready", responses={200: {"model": documents.Ready}})
def ready(uses: Uses) -> JSONResponse:
    """The database has a schema this code works on, every event is folded, and secrets can be used."""
    found = uses.store.readiness()
    problem = found.problem or uses.authenticator.problem
    document: dict[str, Any] = {
        "ready": found.ready and not problem,
        "schema": {"revision": found.revision, "expected": found.expected},
        "projections": {"lag": found.lag},
    }
    if not found.ready or problem:
        why = problem or "events are still being folded"
        raise Problem(503, "not_ready", why, headers={"Retry-After": "2"}, more=document)
    return JSONResponse(document)
