"""Refusals as people read them: the same refusal and the same status as a program gets, on a page in the page's language.

Nothing is put together here: titles are found by the problem's slug, the sentence is the refusal's own.
"""

import json
from collections.abc import Awaitable, Callable
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse

from shared.casework.edge import edge_of
from shared.casework.pages.visits import LIVE, Elsewhere, any_visit, keep_refused
from shared.kit.errors import Said
from shared.kit.i18n import mark as _
from shared.kit.web import PROBLEM

FOR_PROGRAMS = ("/api/", LIVE, "/health", "/metrics", "/asyncapi", "/openapi.json", "/static/")
UNEXPECTED_MIN = 500  # from this status on the pages' own parts may be what fails: nobody is looked up
SENT_AGAIN = frozenset({409, 412, 422, 429})  # what was refused may be sent once more, changed or later: its form is kept

NOTHING_HERE = _("There is nothing here")
REFUSED = _("It was refused")  # the title of what has no other
TITLES = {  # a test holds every slug that there is to a title
    "not-found": NOTHING_HERE,
    "http-404": NOTHING_HERE,
    "http-401": _("Sign in first"),
    "http-405": NOTHING_HERE,
    "forbidden": _("This is not for this account"),
    "illegal-transition": _("Not possible now"),
    "still-running": _("It is being done already"),
    "conflict": _("It does not fit what stands"),
    "stale": _("It has changed meanwhile"),
    "key-reused": REFUSED,
    "key-missing": REFUSED,
    "version-missing": REFUSED,
    "too-busy": _("Many people are here at this moment"),
    "too-many-streams": _("Many people are here at this moment"),
    "too-large": _("That was too long"),
    "too-slow": _("Not possible just now"),
    "too-many-connections": _("Many people are here at this moment"),
    "database-away": _("Not possible just now"),
    "database-full": _("Nothing can be saved just now"),
    "consent-missing": _("Nobody agreed to this yet"),
    "invalid": _("Something is missing or wrong"),
    "not-json": REFUSED,
    "unexpected": _("Something went wrong here"),
}
WRONG_ADDRESS = _("The address or the form is not one of this application; go back and open the page again.")

Refuse = Callable[[Request, Exception], Awaitable[Response]]


def install_page_refusals(app: FastAPI) -> None:
    """People get a page where programs get a problem document; the same refusal, the same status."""
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _for_people(cast(Refuse, handler)))
    app.add_exception_handler(Elsewhere, _go_elsewhere)


async def _go_elsewhere(_request: Request, error: Exception) -> Response:
    return RedirectResponse(error.location if isinstance(error, Elsewhere) else "/", 303)


def _for_people(handler: Refuse) -> Refuse:
    async def refuse(request: Request, error: Exception) -> Response:
        done = await handler(request, error)
        if request.url.path.startswith(FOR_PROGRAMS) or done.media_type != PROBLEM:
            return done
        problem = json.loads(bytes(done.body))
        visit = await any_visit(request) if problem["status"] < UNEXPECTED_MIN else None
        seen = visit if visit is not None and not (visit.is_locked or visit.needs_code) else None
        form_at = await keep_refused(request, seen) if seen is not None and problem["status"] in SENT_AGAIN else None
        return edge_of(request).pages.show(
            request, "pages/refused.html", seen, status=problem["status"], form_at=form_at,
            title=TITLES.get(problem["type"].rsplit(":", 1)[-1], REFUSED), said=_said(error, problem["detail"]),
        )  # fmt: skip

    return refuse


def _said(error: Exception, detail: str) -> str | Said:
    """The refusal's own sentence; what the framework finds wrong, in its own English, is said in ours."""
    if isinstance(error, RequestValidationError):
        return WRONG_ADDRESS
    return cast(Said, error) if hasattr(error, "sentence") else detail
