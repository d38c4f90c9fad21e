"""Places as somebody who sends a survivor needs them: open now, how far, who is there, and since when we know."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import select
from sqlmodel import col

from shared.casework.directory.network import DAY_AND_NIGHT, Facility, Journey, shows_area_only
from shared.casework.directory.tables import PlaceNews
from shared.casework.here import Here
from shared.contracts.casework.codes import FacilityMode, ServicePackage
from shared.kit.db import Transaction
from shared.programmes.terms import DayOfWeek

NEWS_AGE_MAX = timedelta(hours=12)  # what a place said longer ago is not shown as if it were so now
NO_PATHS: Mapping[str, "Path"] = {}
FAR_KM = 1e6  # a place whose distance nobody entered stands last


@dataclass(frozen=True, slots=True)
class Path:
    """What the programme's pathways say of a place just now."""

    turn: int  # of its kind among those that a pathway leads to: it decides between places that are equally near
    opens: str | None = None  # the clock time from which the pathway is used again; None where it is now
    full_at: int | None = None  # so many requests it can take in a day, and has; None where it can take more

    @property
    def takes_now(self) -> bool:
        """Whether nothing speaks against sending there."""
        return self.opens is None and self.full_at is None


NO_PATH = Path(turn=1_000)  # no pathway leads there: after those to which one does, where all else is equal


@dataclass(frozen=True, slots=True)
class Place:
    """One facility of one agency, seen from a desk at a time of the day."""

    agency: str
    id: str
    facility: Facility
    is_open: bool
    opens: datetime | None  # when it opens next, as its clocks show it; None where it is open, and where nobody knows
    journey: Journey | None
    news: PlaceNews | None
    area: str | None = None  # of a shelter: the district, which is all that is shown of where it is
    path: Path = NO_PATH

    @property
    def key(self) -> str:
        """agency/facility, as forms name it."""
        return f"{self.agency}/{self.id}"

    @property
    def by_phone(self) -> bool:
        """Nobody there reads a screen."""
        return self.facility.mode is not FacilityMode.ONLINE


def is_open_at(facility: Facility, local: datetime) -> bool:
    """Whether a facility is open at a local time; hours that run past midnight belong to the day on which they begin."""
    if not is_within(facility.open_hours, local):
        return False
    begins, ends = _hours(facility.open_hours)
    is_past_midnight = ends < begins and local.time() < ends
    return DayOfWeek.of(local.date() - timedelta(days=is_past_midnight)) in facility.open_days


def opens_next(facility: Facility, local: datetime) -> datetime | None:
    """When a facility that is closed opens next; None of one whose hours never end."""
    if facility.never_closes:
        return None
    begins = (datetime.combine(local + timedelta(days=n), _hours(facility.open_hours)[0], local.tzinfo) for n in range(8))
    return next(at for at in begins if at > local and DayOfWeek.of(at.date()) in facility.open_days)


def is_within(hours: str, local: datetime) -> bool:
    """Whether a local time lies within opening hours; those that run past midnight count."""
    if hours == DAY_AND_NIGHT:
        return True
    first, last = _hours(hours)
    now = local.time()
    return first <= now < last if first <= last else now >= first or now < last


def _hours(hours: str) -> tuple[time, time]:
    """When opening hours begin and end; those that never end, at midnight."""
    if hours == DAY_AND_NIGHT:
        return time(0), time(0)
    first, last = hours.split("-")
    return time.fromisoformat(first), time.fromisoformat(last)


def hours_begin(hours: str) -> str:
    """The clock time at which opening hours begin."""
    return hours.split("-", maxsplit=1)[0]


async def places(
    tx: Transaction,
    here: Here,
    agencies: Iterable[str],
    desk: str | None,
    local: datetime,
    wanted: Iterable[ServicePackage] = (),
    *,
    planned: bool = False,
    paths: Mapping[str, Path] = NO_PATHS,
) -> list[Place]:
    """The facilities of agencies that offer everything wanted: those first that are open and can take somebody, then by distance
    from the desk, then those of its own district, then as the pathways name their kinds, then by name. `planned`: those too that
    do not work yet, last, for whoever reads and does not send."""
    since = tx.clock.now() - NEWS_AGE_MAX
    query = select(PlaceNews).where(col(PlaceNews.said_at) > since)
    news = {(row.agency, row.facility): row for row in (await tx.session.execute(query)).scalars()}
    need = set(wanted)
    found = []
    for agency in agencies:
        for id_, facility in here.network.agencies[agency].facilities.items():
            if need <= set(facility.services) and (planned or not facility.is_planned):
                said = news.get((agency, id_))
                by_hours = is_open_at(facility, local)
                open_now = not facility.is_planned and (by_hours if said is None else said.is_open)
                opens = None if open_now or by_hours else opens_next(facility, local)
                area = _area(here, facility) if shows_area_only(here.network.agencies[agency].kind, facility.services) else None
                path = paths.get(f"{agency}/{id_}", NO_PATH)
                found.append(Place(agency, id_, facility, open_now, opens, facility.journeys.get(desk or ""), said, area, path))
    own = here.entry.facilities.get(desk or "")
    district = own.district if own is not None else None
    found.sort(
        key=lambda p: (
            p.facility.is_planned, not p.is_open, not p.path.takes_now, p.journey.km if p.journey else FAR_KM,
            district is not None and p.facility.district != district, p.path.turn, p.facility.name,
        )
    )  # fmt: skip
    return found


def _area(here: Here, facility: Facility) -> str:
    named = here.programme.districts.get(facility.district)
    return str(named) if named is not None else facility.district.replace("_", " ")
