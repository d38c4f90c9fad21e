"""Pages: who looked at a case, on screen and as a sheet for a safe handing-over."""

import asyncio
from datetime import datetime
from itertools import groupby
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from shared.casework.cases import commands, looks, views
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.frame import PAGE_LANGUAGES, marks, short
from shared.casework.pages.visits import Visitor
from shared.kit.i18n import Times, is_rtl
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

LIST_LIMIT = 50  # looks of one page
BEYOND_WORDS = _("From another place, in an emergency.")


@router.get("/cases/{case_id}/looked")
async def show_access_log(
    case_id: UUID, request: Request, edge: OneEdge, visit: Visitor,
    cursor: Annotated[UUID | None, Query()] = None,
) -> Response:  # fmt: skip
    """Who looked at this case: she may ask."""
    visit.actor.may_work()
    async with edge.database.read() as tx:
        case = await commands.load_case(tx, case_id, visit.actor)
        rows, following = await looks.access_log(tx, edge.here, case.id, str(cursor) if cursor else None, LIST_LIMIT)
    return edge.pages.show(request, "cases/looked.html", visit, case=case, rows=rows, following=following, here_now="/cases")


@router.get("/cases/{case_id}/looked.pdf")
async def get_access_log(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The same on paper, to be handed over: in her language where the catalogues have it, else in the page's."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # that it was printed is kept
        case = await commands.load_case(tx, case_id, visit.actor)
        rows, more = await looks.access_log(tx, edge.here, case.id, None, looks.PAPER_LOOKS_MAX)
        await views.note_read(tx, case.id, visit.actor, "log")
        now = tx.clock.now()
    hers = str((case.needs or {}).get("language", ""))
    language = next((tag for tag in PAGE_LANGUAGES if tag.split("_")[0] == hers), edge.pages.language(request, visit.language))
    headers = {"Content-Disposition": 'inline; filename="list.pdf"'}
    text = _looks_text(edge, language, rows, now, is_whole=more is None)
    file = await asyncio.to_thread(looks.looks_pdf, text)  # nobody else at a page waits for it
    return Response(file, media_type="application/pdf", headers=headers)


def _looks_text(edge: Edge, language: str, rows: list[looks.ReadView], now: datetime, *, is_whole: bool) -> looks.LooksText:
    def say(text: str) -> str:
        return edge.pages.say(text, language)

    times = edge.pages.times(language, now)
    days: list[tuple[str, tuple[str, ...]]] = []
    left = looks.LINES_MAX
    for day, of_day in groupby(rows, lambda row: times.local(row.read_at).date()):
        lines = list(looks.paper_lines(of_day))
        is_whole = is_whole and len(lines) <= left
        if left > 0:
            days.append((f"{times.day(day)} {day.year}", tuple(_looks_line(edge, language, times, one) for one in lines[:left])))
        left -= len(lines)
    end = (
        say(_("Nobody else has opened it or tried to.")) if is_whole else say(_("What is older is not on this paper; ask for it."))
    )
    return looks.LooksText(
        say(_("Who looked, and when")),
        (
            say(_("You asked who has looked. Here are roles, places and staff numbers; you may ask about each of them.")),
            say(_("You may leave this paper here, or throw it away. You may ask for it again at any time.")),
        ),
        tuple(days), end, is_rtl(language),
    )  # fmt: skip


def _looks_line(edge: Edge, language: str, times: Times, line: looks.PaperLine) -> str:
    row, pages, between = line.first, edge.pages, marks(language)
    who = (pages.word(row.role, "role", language), pages.place(edge.here.agency, row.facility), short(row.staff))
    said = f"{times.clock(row.read_at)}  {between['comma'].join(who)}{between['colon']}{pages.word(row.what, 'look', language)}"
    if row.why:
        said += f" ({pages.word(row.why, 'why', language)})"
    often = f" ({line.count}×)" if line.count > 1 else ""
    return said + often + (f" {pages.say(BEYOND_WORDS, language)}" if row.beyond else "")
