"""Pages for survivors: what help there is and what becomes of what she says, with a quick way out that leaves nothing behind.

Nobody signs in here and nothing about anybody is shown. After the way out the browser's Back leads to the calendar too:
a cookie without any meaning of its own says so for a while. Whoever follows a link to the page opens it again: the link's own
address is a redirect, so that it stands in no history and Back never leads to it.
"""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Cookie, Query, Request, Response
from fastapi.responses import RedirectResponse

from shared.casework.directory.places import places
from shared.casework.edge import OneEdge
from shared.casework.pages.frame import PAGE_LANGUAGES
from shared.contracts.casework.codes import AgencyKind

router = APIRouter(include_in_schema=False)

LEFT = "day"  # a cookie that says no more than its name
LEFT_S = 30 * 60  # whoever takes the computer next has pressed Back by then; later the address, typed, opens the page again
NEUTRAL = "/calendar"
SHOWN = (AgencyKind.HEALTH, AgencyKind.SOCIAL_WELFARE, AgencyKind.POLICE)  # care first


@router.get("/info")
async def show_info(
    request: Request, edge: OneEdge, day: Annotated[str | None, Cookie(alias=LEFT)] = None,
    language: Annotated[str | None, Query(max_length=10)] = None, again: Annotated[bool, Query()] = False,
) -> Response:  # fmt: skip
    """What help there is, what it costs, who is told what. Neutral in address and title."""
    if again:
        opened = RedirectResponse("/info", 303)
        opened.delete_cookie(LEFT, path="/")
        return opened
    if day is not None:
        return RedirectResponse(NEUTRAL, 303)
    if language in PAGE_LANGUAGES:
        spoken = RedirectResponse("/info", 303)
        spoken.set_cookie("refnet-language", language, httponly=True, samesite="strict", secure=edge.pages.is_secure, path="/")
        return spoken
    async with edge.database.read() as tx:
        now = tx.clock.now()
        local = edge.pages.times("en", now).local(now)
        found = await places(tx, edge.here, (edge.here.agency, *edge.here.serving), None, local)
    shown = [p for p in found if edge.here.network.agencies[p.agency].kind in SHOWN and p.facility.duty_number]
    shown.sort(key=lambda p: (not p.is_open, SHOWN.index(edge.here.network.agencies[p.agency].kind), p.facility.name))
    return edge.pages.show(request, "survivors/info.html", places=shown)


@router.get("/exit")
async def leave(edge: OneEdge) -> Response:
    """The quick way out, with and without JavaScript."""
    response = RedirectResponse(NEUTRAL, 303)
    response.set_cookie(LEFT, "1", max_age=LEFT_S, httponly=True, samesite="strict", secure=edge.pages.is_secure, path="/")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@router.get(NEUTRAL)
async def show_calendar(request: Request, edge: OneEdge) -> Response:
    """This month: a page that anybody may have open."""
    async with edge.database.read() as tx:
        now = tx.clock.now()
    times = edge.pages.times("en", now)
    today: date = times.today()
    weeks = times.weeks(today)
    return edge.pages.show(request, "survivors/calendar.html", weeks=weeks, today=today)
