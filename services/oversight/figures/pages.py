"""Pages: what agencies have released, by quarter and agency, with pictures and tables; and a file of it. No place is ranked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from markupsafe import Markup

from services.oversight.figures.commands import export_quarter
from services.oversight.figures.views import OfAgency, isolated, of_quarter
from shared.casework.edge import Edge, OneEdge
from shared.casework.exports.commands import Wish
from shared.casework.exports.domain import What
from shared.casework.exports.pages import reader_of, take, take_page
from shared.casework.exports.tables import Export
from shared.casework.figures.commands import hidden_count
from shared.casework.figures.domain import PLACE, Period, group_of, period, periods_before
from shared.casework.figures.pages import grids_of
from shared.casework.figures.suppression import HIDDEN_BELOW
from shared.casework.pages.visits import Posted, Visitor, draft_of
from shared.kit.charts import Picture, Point, bars, in_words
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.i18n import is_rtl
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

MONTHS_SHOWN = 24  # two years, for who compares a quarter with the same one a year ago
PICTURED = ("reports", "referrals", "breaches", "alarms")  # how many in all, by agency
FUNNEL = _("How far reports came: %(agency)s, %(when)s")
TOTALS = _("%(what)s by agency, %(when)s")


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture; its numbers stand in a table beneath it too."""

    title: str
    picture: Markup
    points: Sequence[Point]


def quarters(edge: Edge) -> list[Period]:
    """The quarters that are over, newest first."""
    today: date = edge.here.day_of(edge.database.clock.now())
    return [one for one in periods_before(today, MONTHS_SHOWN) if one.is_quarter]


def a_quarter(name: str) -> Period:
    """A quarter by its name; raises Conflict."""
    found = period(name)
    if not found.is_quarter:
        raise Conflict("Figures of agencies are shown by quarter; write it as 2026-Q4.")
    return found


@router.get("/national")
async def show_quarter(
    request: Request, edge: OneEdge, visit: Visitor, name: Annotated[str | None, Query(alias="period", max_length=7)] = None
) -> Response:
    """All agencies of a quarter."""
    visit.actor.may_let_out()
    shown = quarters(edge)
    of = a_quarter(name) if name else shown[0]
    async with edge.database.read() as tx:
        found = await of_quarter(tx, edge.here, of)
    language = edge.pages.language(request, visit.language)
    return edge.pages.show(
        request, "oversight_figures/quarter.html", visit, of=of, quarters=shown, found=found, pictured=PICTURED,
        alone=isolated(edge.here, found), totals=_totals(edge, language, of, found), funnels=_funnels(edge, language, of, found),
        below=HIDDEN_BELOW,
    )  # fmt: skip


@router.get("/national/{agency}")
async def show_agency(
    agency: str, request: Request, edge: OneEdge, visit: Visitor, name: Annotated[str, Query(alias="period", max_length=7)]
) -> Response:
    """One agency's tables of a quarter."""
    visit.actor.may_let_out()
    of = a_quarter(name)
    async with edge.database.read() as tx:
        found = next((one for one in await of_quarter(tx, edge.here, of) if one.agency == agency), None)
    if found is None:
        raise NotFound("There is no agency “%(agency)s” in this network.", agency=agency)
    tables = list(found.tables.values())
    return edge.pages.show(
        request, "oversight_figures/agency.html", visit, of=of, one=found, group_of=group_of, below=HIDDEN_BELOW,
        tables=[(table, grids_of(table, edge, agency)) for table in tables], place_dimension=PLACE, late=(), too_few="",
        whose=agency,
        hidden=sum(map(hidden_count, tables)), here_now="/national",
    )  # fmt: skip


def _said(edge: Edge, language: str) -> Callable[[str], str]:
    return lambda text: edge.pages.say(text, language)


def _totals(edge: Edge, language: str, of: Period, found: Sequence[OfAgency]) -> list[Chart]:
    """How many in all, agency by agency."""
    say, charts = _said(edge, language), []
    for cube in PICTURED:
        points = [Point(edge.pages.agency_name(one.agency), one.total(cube)) for one in found]
        title = say(TOTALS) % {"what": edge.pages.word(cube, "cube", language), "when": of.name}
        picture = Picture(f"totals-{cube}", title, in_words(points), is_rtl(language))
        charts.append(Chart(title, bars(picture, points), points))
    return charts


def _funnels(edge: Edge, language: str, of: Period, found: Sequence[OfAgency]) -> list[tuple[OfAgency, Chart]]:
    """How far reports came, of each agency in whose steps that is kept."""
    say, charts = _said(edge, language), []
    for one in found:
        stages = one.attrition
        if not stages or all(not stage.reached for stage in stages[1:]):
            continue
        points = [Point(edge.pages.word(stage.step, "counted", language), stage.reached) for stage in stages]
        title = say(FUNNEL) % {"agency": edge.pages.agency_name(one.agency), "when": of.name}
        picture = Picture(f"funnel-{one.agency}", title, in_words(points), is_rtl(language))
        charts.append((one, Chart(title, bars(picture, points), points)))
    return charts


@router.get("/national/{quarter_name}/export")
async def show_export(quarter_name: str, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What the file is for."""
    visit.actor.may_let_out()
    return await take_page(request, edge, visit, What.COLLECTED, _back(a_quarter(quarter_name)), await draft_of(request, visit))


@router.post("/national/{quarter_name}/export")
async def post_export(quarter_name: str, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Makes it."""
    visit.actor.may_let_out()
    of = a_quarter(quarter_name)

    async def make(tx: Transaction, wish: Wish) -> Export:
        return await export_quarter(tx, edge.here, visit.actor, of, wish, reader_of(request, edge, visit))

    return await take(request, edge, visit, values, What.COLLECTED, _back(of), make)


def _back(of: Period) -> str:
    return f"/national?period={of.name}"
