"""Released figures by agency and quarter, as they are shown. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import col

from services.oversight.figures.domain import Isolation, Stage, attrition, isolation, together
from services.oversight.figures.tables import HeardRelease
from shared.casework.figures.commands import Table, added, tables_of
from shared.casework.figures.domain import CUBES, TOTAL, Period
from shared.casework.here import Here
from shared.contracts.casework.codes import AgencyKind
from shared.kit.db import Transaction


@dataclass(frozen=True, slots=True)
class OfAgency:
    """What an agency has released of a quarter: of the whole of it, or the sum of its three months. No tables: nothing yet."""

    agency: str
    tables: Mapping[str, Table]
    said_at: datetime | None = None
    number: int = 0  # of the release; of a sum, 0
    formulas: int = 0

    def total(self, cube: str) -> int | None:
        """How many in all; None where it is withheld, or not released."""
        values = self.values(cube)
        return values[TOTAL] if values else None

    def values(self, cube: str) -> Mapping[str, int | None]:
        """A cube's numbers; none where it is withheld."""
        table = self.tables.get(cube)
        return (table.values or {}) if table is not None else {}

    @property
    def attrition(self) -> list[Stage]:
        """How reports thin out."""
        return attrition(self.values("reports"))

    @property
    def isolation(self) -> Isolation | None:
        """Who refers."""
        return isolation(self.values("referrals"))


@dataclass(frozen=True, slots=True)
class OfCountry:
    """The police of one country together: ordinary stations may be another agency than the specialised ones."""

    agencies: tuple[str, ...]  # the first stands for all: never a station of another, which is usually offline
    isolation: Isolation | None


def countries(here: Here, found: Sequence[OfAgency]) -> list[OfCountry]:
    """The countries whose police have other than specialised desks, in the order of the network file: where there are none, that
    nobody else refers says nothing. Of an agency that has such desks it must be known what it released; of the rest it counts in
    where it is."""
    several: dict[str | None, list[OfAgency]] = {}
    for one in found:
        if here.known_kind(one.agency) is AgencyKind.POLICE:
            several.setdefault(_country(here, one.agency), []).append(one)
    judged = []
    for of in several.values():
        having = {one.agency for one in of if here.has_other_desks(one.agency)}
        if having:
            known = [one.isolation for one in of if one.agency in having or one.isolation is not None]
            names = sorted((one.agency for one in of), key=lambda agency: here.network.agencies[agency].mother is not None)
            judged.append(OfCountry(tuple(names), together(known)))
    return judged


def isolated(here: Here, found: Sequence[OfAgency]) -> set[str]:
    """The agencies of countries in which every referral of the police came from a specialised desk."""
    judged = [one for one in countries(here, found) if one.isolation is not None and one.isolation.is_alarming]
    told = {one.agency for one in found if one.tables}  # of one that has released nothing, nothing is said
    return {agency for one in judged for agency in one.agencies if agency in told}


def _country(here: Here, agency: str) -> str | None:
    entry = here.network.agencies.get(agency)
    known = here.programme.agencies.get(entry.mother if entry is not None and entry.mother else agency)
    return (known.country if known is not None else None) or here.programme.country


async def of_quarter(tx: Transaction, here: Here, quarter: Period) -> list[OfAgency]:
    """Every agency that tells figures, in the order of the network file."""
    names = [quarter.name, *(month.name for month in quarter.months)]
    query = select(HeardRelease).where(col(HeardRelease.period).in_(names)).order_by(col(HeardRelease.number))
    newest: dict[tuple[str, str], HeardRelease] = {}
    for row in (await tx.session.execute(query)).scalars():
        newest[row.agency, row.period] = row
    return [_of_agency(agency, quarter, [newest.get((agency, name)) for name in names]) for agency in here.serving]


def _of_agency(agency: str, quarter: Period, rows: Sequence[HeardRelease | None]) -> OfAgency:
    whole, months = rows[0], [row for row in rows[1:] if row is not None]
    if whole is not None:
        return OfAgency(agency, tables_of(whole.shown), whole.said_at, whole.number, whole.formulas)
    if len(months) < len(quarter.months):
        return OfAgency(agency, {})
    parts = [tables_of(month.shown) for month in months]
    tables = {cube.id: added(Table(cube.id, cube.chain), [part[cube.id] for part in parts]) for cube in CUBES}
    return OfAgency(agency, tables, max(month.said_at for month in months), 0, max(month.formulas for month in months))
