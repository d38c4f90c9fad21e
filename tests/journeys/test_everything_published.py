"""What each of three agencies releases in a year, taken together and solved as linear programmes: months and the quarter that is
their sum, quarters by themselves, each again after late entries, and what files of the programme's indicators say of people.

The attack (tests/support/attack.py) knows also what never changes: whom a referral was sent to, of what kind an alarm is. A year's
calls stand by themselves (tests/pages/test_programme_figures.py); what two agencies say of one event is not put together.
"""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pyrage
import pytest
from agencies import Desk, World, consent, open_case, refer
from attack import Attack, withstands
from overseen import later, overseen, watch
from reported import Report, report
from shift import at_work
from signing_in import PIN
from sqlalchemy import select
from sqlmodel import col

from shared.casework.cases.tables import Case
from shared.casework.figures.commands import Table, tables_of
from shared.casework.figures.domain import CUBES, period, span
from shared.casework.figures.leaving import IN_CUBES, OF_PLACES
from shared.casework.figures.suppression import is_small
from shared.casework.figures.tables import FigureRelease
from shared.contracts.casework.codes import AgeBand, IncidentType, Role, Sex
from shared.programmes.indicators import Measure

CENTRAL, OUTLYING, CLINIC = "ndola_central_vsu", "masaiti_vsu", "ndola_clinic"
READER = pyrage.x25519.Identity.generate()
GIRL: Report = (IncidentType.RAPE, AgeBand.A10_14, Sex.FEMALE, CENTRAL)
GIRL_TOUCHED: Report = (IncidentType.SEXUAL_ASSAULT, AgeBand.A10_14, Sex.FEMALE, CENTRAL)
GIRL_HIT: Report = (IncidentType.PHYSICAL_ASSAULT, AgeBand.A10_14, Sex.FEMALE, CENTRAL)
BOY: Report = (IncidentType.SEXUAL_ASSAULT, AgeBand.A10_14, Sex.MALE, CENTRAL)
WOMAN: Report = (IncidentType.PHYSICAL_ASSAULT, AgeBand.A25_49, Sex.FEMALE, OUTLYING)
MAN: Report = (IncidentType.PHYSICAL_ASSAULT, AgeBand.A25_49, Sex.MALE, OUTLYING)
# What of each thing stays as it was written down; in the rest of its chain it goes on.
STAYS = {
    "reports": {"hours", "incident", "age", "sex", "again", "place"}, "referrals": {"urgency", "to_kind", "from_desk"},
    "offers": {"to_kind"}, "arrivals": {"way"}, "breaches": {"breach", "by_whom"}, "alarms": {"alarm", "age"},
}  # fmt: skip
Line = list[str]


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[World]:
    made = await overseen(tmp_path)
    yield made
    await made.close()


class Year:
    """One year of the town: what is done there, what is published, and which files leave."""

    def __init__(self, world: World) -> None:
        self.world, self.sent = world, list[str]()
        self.files: list[tuple[str, datetime, list[Line]]] = []  # the police's: of what period, when, and its lines
        self._names = 0

    async def desk(self) -> Desk:
        """Somebody who is signed in now; nobody is for months."""
        self._names += 1
        return await self.world["police"].sign_in(f"desk-{self._names}", Role.OFFICER, CENTRAL)

    async def reported(self, day: str, *several: tuple[Report, int]) -> None:
        written = datetime.fromisoformat(f"{day}T09:00:00+00:00")
        for one, many in several:
            await report(self.world["police"], [one] * many, written)

    async def newest(self, many: int) -> Sequence[UUID]:
        """The newest cases of the police."""
        async with self.world["police"].database.read() as tx:
            return (await tx.session.execute(select(col(Case.id)).order_by(col(Case.id).desc()).limit(many))).scalars().all()

    async def investigated(self, cases: Sequence[UUID]) -> None:
        """Cases come a step further: what was reported, and of whom, stays."""
        desk = await self.desk()
        for case_id in cases:
            await desk.post(f"/cases/{case_id}/progress", {"code": "statement_taken"})

    async def refers(self, to: str, many: int) -> None:
        desk = await self.desk()
        for _ in range(many):
            case_id, incident_id = await open_case(desk)
            await consent(desk, case_id, to, "needs", "fb")
            sent = await refer(desk, case_id, incident_id, to)
            self.sent += [sent["id"]] if to == "health" else []
        await self.world.settle()

    async def goes_on(self, which: Sequence[str], *steps: str) -> None:
        """Requests at the clinic go these steps."""
        self._names += 1
        nurse = await self.world["health"].sign_in(f"nurse-{self._names}", Role.CLINICIAN, CLINIC)
        for id_ in which:
            for step in steps:
                await nurse.post(f"/referrals/{id_}/{step}")
        await self.world.settle()

    async def breached(self, day: str, **of: int) -> None:
        desk = await self.desk()
        case_id, _ = await open_case(desk)
        for code, many in of.items():
            for n in range(many):
                body = {"code": code, "by_whom": ("health", "family")[n % 3 == 0], "occurred_at": f"{day}T07:00:00+00:00"}
                await desk.post(f"/cases/{case_id}/breaches", body)

    async def released(self, name: str, *agencies: str) -> None:
        """A supervisor releases a period, where the page lets her."""
        for agency in agencies or ("police", "health"):
            self._names += 1
            chief = await at_work(self.world, agency, f"chief-{self._names}", Role.SUPERVISOR, None)
            page = await chief.open(f"/figures?period={name}")
            action = f"/figures/{name}/release"
            if action in page.text:
                await chief.send(page.form(action))
                self.world.clock.advance(timedelta(minutes=1))  # so that what is newest is known by its time
        await self.world.settle()

    async def file(self, name: str) -> None:
        """The police's file of a period's indicators leaves."""
        self._names += 1
        chief = await at_work(self.world, "police", f"chief-{self._names}", Role.SUPERVISOR, None)
        path = f"/figures/{name}/programme/export"
        wish: dict[str, Any] = {"purpose": "monthly_report", "because": "The ministry asked."}
        ready = await chief.send((await chief.open(path)).form(path), **wish, recipient_key=str(READER.to_public()), pin=PIN)
        content = pyrage.decrypt((await chief.client.get(f"{ready.path}/file")).content, [READER]).decode("utf-8-sig")
        self.files.append((name, self.world.clock.now(), [line[:-1] for line in csv.reader(io.StringIO(content))]))
        self.world.clock.advance(timedelta(minutes=1))


async def a_year(world: World) -> Year:
    """Months with late entries and the quarter that is their sum, then quarters by themselves."""
    year = Year(world)
    await year.reported("2026-01-05", (GIRL, 14), (BOY, 4), (WOMAN, 22), (MAN, 3))
    await year.refers("health", 22)
    await year.refers("social_welfare", 12)
    await year.goes_on(year.sent[:15], "acknowledge")
    await year.breached("2026-01-05", fee_demanded=14, police_report_demanded=5, mediation_attempted=2)
    await later(world, "2026-02-03")
    await watch(world)
    await year.released("2026-01")
    await year.file("2026-01")
    # What came late, and what has gone on since: some things move, others are only more.
    await year.reported("2026-01-05", (GIRL, 3), (WOMAN, 12), (BOY, 8))
    await year.goes_on(year.sent[:12], "accept", "arrive")
    await year.breached("2026-01-05", fee_demanded=3, mediation_attempted=15)
    await year.released("2026-01")
    await year.file("2026-01")
    await year.reported("2026-02-03", (GIRL_HIT, 30), (GIRL_TOUCHED, 11), (GIRL, 14))
    begun = await year.newest(12)
    await later(world, "2026-03-03")
    await watch(world)
    await year.released("2026-02")
    await year.reported("2026-03-03", (GIRL, 11), (MAN, 15))
    await year.refers("health", 15)
    await later(world, "2026-04-02")
    await year.released("2026-03")
    await later(world, "2026-04-16")
    await watch(world)
    await year.file("2026-Q1")
    # Steps go on in a month in which little was small, and few of two kinds came late.
    await year.investigated(begun)
    await year.reported("2026-02-03", (GIRL_HIT, 12), (GIRL_TOUCHED, 3), (GIRL, 3))
    await year.reported("2026-03-03", (WOMAN, 13))
    await year.goes_on(year.sent[22:], "acknowledge", "accept", "arrive")
    for name in ("2026-01", "2026-02", "2026-03", "2026-Q1"):
        await year.released(name)
    await year.reported("2026-04-16", (GIRL, 12), (BOY, 1), (WOMAN, 40))
    await year.refers("health", 13)
    await later(world, "2026-07-16")
    await watch(world)
    await year.reported("2026-05-16", (MAN, 4), (WOMAN, 21))
    await year.goes_on(year.sent[-13:], "acknowledge", "accept")
    await year.released("2026-Q2")
    for day in ("2026-10-16", "2027-01-16"):
        await later(world, day)
        await watch(world)
    await year.file("2026")
    await year.reported("2026-11-16", (WOMAN, 17), (GIRL, 6))
    await year.released("2026-Q4")
    await year.file("2026")
    return year


class Everything:
    """All that one agency published, as the attack writes it down: a cube's numbers of one release of a period are one table."""

    def __init__(self, releases: Sequence[FigureRelease]) -> None:
        self.attack, self.tables = Attack(), dict[str, dict[str, int | None]]()
        self._releases, self.again = list(releases), set[str]()
        for n, release in enumerate(self._releases):
            newest = self._newest_of(release.released_at, self._releases[:n])
            for table in tables_of(release.shown).values():
                if table.values is not None:
                    self._sees(release, newest, table, dict(table.values))

    def _newest_of(self, at: datetime, among: Sequence[FigureRelease]) -> dict[str, FigureRelease]:
        return {one.period: one for one in among if one.released_at <= at}

    @staticmethod
    def _name(cube: str, release: FigureRelease) -> str:
        return f"{cube} {release.period} {release.number}"

    def _sees(self, release: FigureRelease, newest: dict[str, FigureRelease], table: Table, values: dict[str, int | None]) -> None:
        cube, of = table.id, period(release.period)
        name = self._name(cube, release)
        self.tables[name] = values
        self.attack.sees(name, table.chain, table.categories, values)
        before = newest.get(release.period)
        if before is not None and (was := self._name(cube, before)) in self.tables:
            fixed = [key for key in values if {part.split("=")[0] for part in key.split("|") if key} <= STAYS[cube]]
            published = [(self.tables[was].get(key, 0), number) for key, number in values.items()]
            assert not [1 for a, b in published if a is not None and b is not None and is_small(b - a)], (was, name)
            self.attack.grew(was, name, [key for key in fixed if key in self.tables[was]])
            self.again |= {cube} if self.tables[was] != values else set()
        months = [newest[month.name] for month in of.months if month.name in newest]
        if of.is_quarter and len(months) == len(of.months):
            for key in values:
                parts = {self.attack.variable(self._name(cube, month), key): 1.0 for month in months}
                self.attack.equal({self.attack.variable(name, key): -1.0, **parts}, 0)

    def reads(self, of: str, at: datetime, lines: Sequence[Line]) -> int:
        """A file of a programme: each of its numbers of people is a sum of what was published; returns how many there were."""
        newest, found = self._newest_of(at, self._releases), 0
        parts = [quarter.name for quarter in span(of).quarters] if span(of).is_year else [of]
        for _kind, what, _place, number in (line for line in measures(lines) if line[3].isdigit()):
            cube, keys = IN_CUBES.get(Measure(what), ("", ()))
            if keys:
                weights = {self.attack.variable(self._name(cube, newest[part]), key): 1.0 for part in parts for key in keys}
                self.attack.equal(weights, int(number))
                found += 1
        return found


def measures(lines: Sequence[Line]) -> list[Line]:
    """What a file says of measures to programs: its kind, which, where, and how many."""
    return [line[:4] for line in lines if line[0] == "measure"]


async def releases_of(world: World, agency: str) -> list[FigureRelease]:
    async with world[agency].database.read() as tx:
        query = select(FigureRelease).order_by(col(FigureRelease.released_at), col(FigureRelease.id))
        return list((await tx.session.execute(query)).scalars())


@pytest.mark.timeout(600)
async def test_nobody_works_out_a_hidden_number_from_all_that_an_agency_published(town: World) -> None:
    year = await a_year(town)
    sums, hidden, again = 0, 0, set[str]()
    for agency in ("police", "health", "social_welfare"):
        releases = await releases_of(town, agency)
        found = Everything(releases)
        for of, at, lines in year.files if agency == "police" else ():
            sums += found.reads(of, at, lines)
        again |= found.again
        hidden += sum(number is None for table in found.tables.values() for number in table.values())
        withstands(found.attack, found.tables)
        if agency == "police":
            periods = [(one.period, one.number) for one in releases]
            assert {("2026-01", 2), ("2026-Q1", 2), ("2026-Q2", 2), ("2026-Q4", 2)} <= set(periods), periods
            assert {name.split()[0] for name in found.tables} == {cube.id for cube in CUBES}
    assert again >= {"reports", "referrals", "breaches"}, again
    assert sums >= 8, "files say sums of what was published"
    assert hidden > 200
    of_places = {str(measure) for measure in OF_PLACES}
    for _of, _at, lines in year.files:
        told = {line[1] for line in lines if line[0] in ("indicator", "measure") and line[3].isdigit()}
        assert told <= {*of_places, "stations", *map(str, IN_CUBES)}, "of people there is nothing but what the attack has"
    last = {what: number for _kind, what, place, number in measures(year.files[-1][2]) if not place}
    assert int(last["reports"]) > 200, "of a year whose quarters were released a file has the sum"
