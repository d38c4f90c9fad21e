"""The web's plain parts: problem+json (RFC 9457), a limit on bodies, and what a problem never says: the input itself."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from shared.kit.i18n import mark as _

BODY_BYTES_MAX = 64 * 1024  # the largest form is a few kilobytes; a longer body is a mistake or an attack
BODY_TIMEOUT_S = 30.0  # 64 KiB over a line of 20 kbit/s
SEND_TIMEOUT_S = 30.0  # a reader that has taken nothing for this long is gone; the poorest line takes a page in ten
PROBLEM = "application/problem+json"
NUL = b"%00"
NULS = (b"\\u0000", NUL, b"\x00")  # in JSON, in a form, as it is: no database takes it in a text
KNOWN_NAME = re.compile(r"[a-z][a-z0-9_.]{0,60}")  # a field's name; what else stood there may be what somebody typed
ERRORS_MAX = 20  # faults named in one answer

NOT_JSON = _("The body must be one JSON object in UTF-8; correct it and send again.")
PROBLEM_RESPONSE: dict[int | str, dict[str, Any]] = {  # what any route answers where it refuses, for OpenAPI
    "default": {
        "description": "Why it was refused, and what to do (RFC 9457)",
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)


class Fault(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """Why a request was refused. `type` is for programs, `detail` is one sentence: what is wrong and what to do."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault] = []


def problem(status: int, slug: str, title: str, detail: str, **more: Any) -> JSONResponse:
    """A problem document. `detail` is one sentence that says what is wrong and what to do."""
    headers = more.pop("headers", None)
    body = {"type": f"urn:refnet:problem:{slug}", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers=headers, media_type=PROBLEM)


class BodyLimit:
    """Answers 413 to a body above the limit and 408 to one that does not come, before anything reads it; a body that was cut off
    reaches nobody."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            await _too_large()(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _read(receive)
        except TimeoutError:
            await _too_slow()(scope, receive, send)
            return
        except ClientDisconnect:
            return  # nobody reads an answer, and half a form is no form
        if body is None:
            await _too_large()(scope, receive, send)
            return
        if NUL in scope.get("raw_path", b"") or NUL in scope["query_string"] or any(nul in body for nul in NULS):
            await _no_nul()(scope, receive, send)
            return
        await self._app(scope, heard_again(body, receive), send)


def heard_again(body: bytes, receive: Receive) -> Receive:
    """What an application hears of a request whose body was read before it: the body, and then whatever comes."""
    is_said = False

    async def again() -> Message:
        nonlocal is_said
        if is_said:
            return await receive()
        is_said = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _read(receive: Receive) -> bytes | None:
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body"):
            return body


def _no_nul() -> Response:
    return problem(422, "invalid", "The request is not valid", "A text may not hold the character NUL; remove it and send again.")


def _too_large() -> Response:
    kib = BODY_BYTES_MAX // 1024
    return problem(413, "too-large", "The body is too large", f"A body may hold {kib} KiB at most; send less.")


def _too_slow() -> Response:
    words = f"The body did not come within {BODY_TIMEOUT_S:.0f} seconds; look at your line, and send the request again."
    return problem(408, "too-slow", "The request came too slowly", words, headers={"Connection": "close"})


def install(app: FastAPI) -> None:
    """Problem documents for everything that the framework refuses itself, and the limits on bodies."""
    app.add_middleware(BodyLimit)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _unexpected)
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"].update(schema.pop("$defs"), Problem=schema)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


async def _invalid(_request: Request, error: Exception) -> Response:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    named = [{"field": _field(fault["loc"]), "message": _words(fault)} for fault in faults[:ERRORS_MAX]]
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem(400, "not-json", "The body is not JSON", NOT_JSON)
    first = f"{named[0]['field']}: {named[0]['message']}" if named else "it is not what was expected"
    return problem(422, "invalid", "The request is not valid", f"Correct the request and send it again ({first}).", errors=named)


def _field(loc: Any) -> str:
    name = ".".join(str(part) for part in loc if part not in ("body", "query", "path", "header")) or "body"
    return name if KNOWN_NAME.fullmatch(name) else "a field that is not known"


def _words(fault: Any) -> str:
    # pydantic's sentences for codes list what is allowed and never repeat what was given.
    message = str(fault["msg"])
    return {"extra_forbidden": "this field is not known", "missing": "this field is needed"}.get(fault["type"], message)


async def _refused(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else None
    if status == 400:
        return problem(400, "not-json", "The body is not JSON", NOT_JSON)
    words = {
        401: ("Sign in", _("Send a bearer token that is valid; `refnet token` makes one.")),
        404: ("Not found", _("There is nothing at this address.")),
        405: ("Not allowed here", _("This address does not take that method; see /docs.")),
    }
    title, detail = words.get(status, ("The request was refused", _("The request cannot be answered; see /docs.")))
    return problem(status, f"http-{status}", title, detail, headers=headers)


async def _unexpected(_request: Request, error: Exception) -> Response:
    # The kind only: an error's text may hold what a person typed.
    log.error("request_failed", extra={"because": type(error).__name__})
    return problem(
        500, "unexpected", "Something went wrong here", _("Nothing was saved; try again, and tell the administrator if it stays.")
    )


def dump(value: Any) -> bytes:
    """JSON as it is answered and kept."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
