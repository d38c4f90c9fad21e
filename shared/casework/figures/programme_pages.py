"""Page: a programme's indicators of a year or a month, exact, for a supervisor's own eyes; with pictures and tables beneath, and
what the ministry's fifteen monthly figures come to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from markupsafe import Markup

from shared.casework.accounts.sessions import Visit
from shared.casework.edge import Edge, OneEdge
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period, period, periods_before, span, year_of
from shared.casework.figures.monthly import HALF, KEPT_WORDS, MONTHLY, rows
from shared.casework.figures.programme import by_place, months_of, pictured, programme_of, written
from shared.casework.figures.words import BETWEEN, DURATIONS, FORMULAS, LATER, MEASURES, WHY
from shared.casework.pages.visits import Visitor
from shared.casework.referrals.silence import silent_services
from shared.kit.charts import Picture, Point, bars, in_words, line
from shared.kit.i18n import Times, comma, is_rtl
from shared.kit.i18n import mark as _
from shared.programmes.indicators import Indicator, Measure

router = APIRouter(include_in_schema=False)

YEARS_SHOWN = 10  # back from this one: longer than any programme that is told of here ran
MONTHS_SHOWN = 24  # as of the released figures


BY_MONTH, BY_PLACE = _("%(what)s by month, %(when)s"), _("%(what)s by place, %(when)s")


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture with its table: a line over months, or bars by place."""

    title: str
    head: str
    picture: Markup
    points: Sequence[Point]


@router.get("/figures/programme")
async def show_programme(
    request: Request, edge: OneEdge, visit: Visitor, name: Annotated[str | None, Query(alias="period", max_length=7)] = None
) -> Response:
    """The indicators of a period; this year unless one is named."""
    visit.actor.may_let_out()
    language = edge.pages.language(request, visit.language)
    today = edge.pages.times(language, edge.database.clock.now()).today()
    of = span(name) if name else year_of(today.year)
    async with edge.database.read() as tx:
        found = await programme_of(tx, edge.here, edge.pages.look.counts, of, visit.actor)
        months = await months_of(tx, edge.here, found.counts, of, visit.actor)
        silent = await silent_services(tx, visit.actor)
    times = edge.pages.times(language, edge.database.clock.now())
    return edge.pages.show(
        request, "figures/programme.html", visit, of=of, periods=_periods(today), found=found, written=written, why=WHY,
        name_of=lambda one: one.indicator.name.in_(language, language.split("_")[0], "en"),
        is_source=lambda one: not {language, language.split("_")[0]} & set(one.indicator.name.by_language),
        computed=lambda one: computed(one.indicator, lambda text: edge.pages.say(text, language), comma(language)),
        charts=_charts(edge, visit, of, found.counts, months, language, times),
        silent=[(edge.pages.place(one.agency, one.facility), one) for one in silent],
        monthly=[(n, one, KEPT_WORDS[one.kept(found.held)], rows(one, found.counts)) for n, one in enumerate(MONTHLY, 1)],
        half=HALF,
    )  # fmt: skip


def _periods(today: date) -> list[Period]:
    years = [year_of(today.year - n) for n in range(YEARS_SHOWN)]
    return [*years, period(f"{today:%Y-%m}"), *(one for one in periods_before(today, MONTHS_SHOWN) if not one.is_quarter)]


def computed(indicator: Indicator, say: Callable[[str], str], between: str) -> str:
    """What an indicator is computed from, in words."""

    def words(*measures: Measure | None) -> str:
        return between.join(say(MEASURES[one]) for one in measures if one is not None)

    parts: Mapping[str, object] = {
        "of": words(indicator.of), "over": words(indicator.over), "plus": words(*indicator.plus), "minus": words(*indicator.minus),
        "durations": say(DURATIONS[indicator.durations]) if indicator.durations is not None else "", "year": indicator.year,
        "since": indicator.since, "at_least": f"{indicator.at_least:g}" if indicator.at_least is not None else "",
        "after": f"{indicator.after_h:g}" if indicator.after_h is not None else "",
        "within": f"{indicator.within_h:g}" if indicator.within_h is not None else "",
    }  # fmt: skip
    text = FORMULAS[indicator.formula]
    if indicator.after_h is not None:
        text = LATER if indicator.within_h is None else BETWEEN
    return say(text) % parts


def _charts(
    edge: Edge, visit: Visit, of: Period, counts: Counts, months: Sequence[tuple[Period, Counts]], language: str, times: Times
) -> list[Chart]:
    """Of what is pictured and held: a line over the months of the year, and bars by place."""

    def say(text: str) -> str:
        return edge.pages.say(text, language)

    found: list[Chart] = []
    for measure in pictured(counts):
        name = say(MEASURES[measure])
        name = name[:1].upper() + name[1:]
        over = [Point(times.month(of_.first), sum(one.found[measure].values()), str(of_.first.month)) for of_, one in months]
        if over:
            title = say(BY_MONTH) % {"what": name, "when": of.first.year}
            picture = Picture(f"months-{measure}", title, in_words(over), is_rtl(language))
            found.append(Chart(title, "month", line(picture, over), over))
        here, agency = edge.here, edge.here.agency
        at = [Point(edge.pages.place(agency, one), n) for one, n in by_place(here, counts, measure, visit.actor).items()]
        title = say(BY_PLACE) % {"what": name, "when": of.name}
        picture = Picture(f"places-{measure}", title, in_words(at), is_rtl(language))
        found.append(Chart(title, "place", bars(picture, at), at))
    return found
