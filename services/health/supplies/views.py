"""What is read of the store and of stations: stock and counts, never a case."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from services.health.supplies.tables import StationMonth, StationReport, StationRequest, StoreEntry, SupervisionVisit
from shared.casework.here import Actor, Here
from shared.casework.stock import commands as stock
from shared.casework.stock.domain import Lot
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Said, Sentence
from shared.kit.i18n import mark as _

SHOWN_MAX = 50  # of each kind on one page: months of some stations, and their visits
FITS, DIFFERS = "fits", "differs"


@dataclass(slots=True)
class Store:
    """A place's store and the requests that lie there."""

    lots: dict[str, list[Lot]]
    requests: list[StationRequest] = field(default_factory=list)


async def store_of(tx: Transaction, facility: str) -> Store:
    """The store as it stands."""
    return Store(await stock.lots(tx, StoreEntry, facility), await requests(tx, facility))


async def requests(tx: Transaction, facility: str) -> list[StationRequest]:
    """Requests to a place, open ones first, then the newest."""
    query = select(StationRequest).where(col(StationRequest.facility) == facility)
    query = query.order_by(col(StationRequest.state) != "asked", col(StationRequest.asked_at).desc()).limit(SHOWN_MAX)
    return list((await tx.session.execute(query)).scalars())


@dataclass(slots=True)
class Stations:
    """What stations have told, and what was found there."""

    months: list[StationMonth]
    reports: list[StationReport]
    visits: list[tuple[SupervisionVisit, str | None]]  # and whether its count fits what was told of the month before, where it was


async def stations_of(tx: Transaction, facility: str) -> Stations:
    """Everything of a place's stations, newest first."""
    months = select(StationMonth).where(col(StationMonth.facility) == facility).order_by(col(StationMonth.month).desc())
    reports = select(StationReport).where(col(StationReport.facility) == facility).order_by(col(StationReport.said_at).desc())
    visits = select(SupervisionVisit).where(col(SupervisionVisit.facility) == facility)
    visits = visits.order_by(col(SupervisionVisit.visited_on).desc(), col(SupervisionVisit.id).desc())
    told = list((await tx.session.execute(months.limit(SHOWN_MAX))).scalars())
    made = list((await tx.session.execute(visits.limit(SHOWN_MAX))).scalars())
    found = [(visit, _beside(visit, told)) for visit in made]
    return Stations(told, list((await tx.session.execute(reports.limit(SHOWN_MAX))).scalars()), found)


def _beside(visit: SupervisionVisit, told: list[StationMonth]) -> str | None:
    """Whether batches that were counted hold no more than was told last before the visit: less may have been given since."""
    at, until = (visit.agency, visit.station), f"{visit.visited_on:%Y-%m}"
    before = [one for one in told if (one.agency, one.station) == at and one.month < until]
    if not before or not visit.counted:
        return None
    month = max(one.month for one in before)
    held = {b["batch"]: b["quantity"] for one in before if one.month == month for b in one.data["batches"]}
    more = [b for b in visit.counted if b["batch"] in held and b["quantity"] > held[b["batch"]]]
    return DIFFERS if more else FITS


async def work_lines(tx: Transaction, here: Here, by: Actor) -> list[tuple[str, Said]]:
    """Requests that wait for an answer, at the account's places."""
    query = select(StationRequest).where(col(StationRequest.state) == "asked")
    if by.facility is not None:
        query = query.where(col(StationRequest.facility).in_(by.desks))
    rows = (await tx.session.execute(query.order_by(col(StationRequest.asked_at)).limit(SHOWN_MAX))).scalars()
    return [(f"/supplies/requests/{row.id}", _asks(row)) for row in rows]


def _asks(row: StationRequest) -> Sentence:
    place: dict[str, Any] = {"place": Coded(f"{row.agency}/{row.station}", "place"), "product": Coded(row.product, "product")}
    return Sentence(_("%(place)s asks for supplies: %(product)s."), place)
