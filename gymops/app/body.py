"""JSON as RFC 8259 has it: what Python's parser lets through besides is refused before anything sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute

from gymops.app.problems import Problem, invalid


class StrictRoute(APIRoute):
    """A route whose body is such JSON, and says so in its Content-Type."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def strict(request: Request) -> Response:
            if takes_body and not _is_json(request.headers.get("content-type", "")):
                raise Problem(415, "not_json", "send JSON, with Content-Type: application/json")
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict


class _StrictRequest(Request):
    async def json(self) -> Any:
        return parse(await self.body())


def parse(body: bytes) -> Any:
    """The document a body holds.

    Raises:
        Problem: 422; it is no JSON, or holds what no database keeps: NaN, NUL, half a surrogate pair.
    """
    try:
        document = json.loads(body.decode(), parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise _refused(f"is not valid JSON: {error.msg} (character {error.pos + 1})") from None
    except UnicodeDecodeError:
        raise _refused("is not UTF-8") from None
    except RecursionError:
        raise _refused("is nested too deeply") from None
    except ValueError:
        raise _refused("holds a number of too many digits") from None
    _check_texts(document)
    return document


def _check_texts(document: Any) -> None:
    waiting = [document]
    while waiting:
        match waiting.pop():
            case dict() as one:
                waiting.extend(one)
                waiting.extend(one.values())
            case list() as one:
                waiting.extend(one)
            case str() as text if "\0" in text:
                raise _refused("holds a NUL character")
            case str() as text if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
                raise _refused("holds half a surrogate pair")


def _is_json(content_type: str) -> bool:
    message = Message()
    message["content-type"] = content_type
    return message.get_content_type() == "application/json"


def _no_number(name: str) -> NoReturn:
    raise _refused(f"holds {name}, which is no number in JSON")


def _refused(reason: str) -> Problem:
    return invalid([{"loc": "body", "msg": reason}])
