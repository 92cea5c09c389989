"""Who is signed in, and how the owner does so."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from gymops.app.auth.cookies import NAME, Cookies
from gymops.app.routes import documents, services
from gymops.app.routes.services import Uses, Who

router = services.router(public=True)


@router.get("/session", responses={200: {"model": documents.Session}})
def session(identity: Who, uses: Uses) -> JSONResponse:
    """The user; a cookie that is half over, or signed with the secret before, is replaced by a new one."""
    response = JSONResponse({"user": identity.user, "auth": identity.auth})
    cookies = uses.authenticator.cookies
    if identity.stale and cookies:
        _set(response, cookies, identity.user)
    return response


@router.post("/session", status_code=204, response_class=Response)
def sign_in(body: documents.Passcode, request: Request, uses: Uses) -> Response:
    """Sign in with the owner's passcode; the answer sets a cookie."""
    cookies = uses.authenticator.sign_in(body.passcode, request.client.host if request.client else "")
    response = Response(status_code=204)
    _set(response, cookies, uses.settings.user)
    return response


@router.delete("/session", status_code=204, response_class=Response)
async def sign_out() -> Response:
    """Forget the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(NAME, secure=True, httponly=True, samesite="strict")
    return response


def _set(response: Response, cookies: Cookies, user: str) -> None:
    response.set_cookie(
        NAME, cookies.make(user), max_age=cookies.seconds, secure=True, httponly=True, samesite="strict"
    )
