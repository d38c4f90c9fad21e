"""Mobile units in a replay: each is away on its tours without any line, takes reports on its own database alone, and once it has a
line again everything that it wrote is at its recipients, once and with its own times. They do the rest.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from services.simulate import arriving
from services.simulate.caseload import WITHOUT_A_LINE, Report, Tour
from services.simulate.client import Desk
from services.simulate.clinics import Sent
from services.simulate.desks import Desks
from services.simulate.town import Town
from services.staging import ProcessRole
from shared.contracts.casework.codes import AgencyKind, ServicePackage

TAKEN_AFTER = timedelta(hours=1)  # from the line's return until somebody at a station or an institute opens what has come
INFORMED = 7  # whom a unit only informed on a tour: a count, which stays there

Restart = Callable[[str, ProcessRole], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Written:
    """A request as a unit wrote it, for a place of an agency."""

    referral_id: str
    agency: str
    place: str
    at: datetime
    report: Report
    sent: Sent | None = None  # for a place of care


@dataclass(frozen=True, slots=True)
class Returned:
    """What a tour came to. `waited` counts its requests; `early` names those that somebody had before the line was back, `lacking`
    those that their recipient has not exactly once and with their own times. `numbers` is what the unit registered in all, and what
    its mother station held of it afterwards."""

    agency: str
    without_a_line: timedelta
    waited: int
    early: tuple[str, ...]
    lacking: tuple[str, ...]
    numbers: tuple[int, int]

    @property
    def is_right(self) -> bool:
        """Whether it was away for as long as it was to be, and everything came afterwards and not before."""
        is_whole = not self.early and not self.lacking and self.numbers[0] == self.numbers[1]
        return self.without_a_line >= WITHOUT_A_LINE and bool(self.waited) and is_whole


@dataclass
class Units:
    """The mobile units of a replay. `restart` ends an agency's process and begins another in its place; `returned` are tours that
    are over, `begun` the stations' cases of complaints that began at a unit."""

    town: Town
    desks: Desks
    restart: Restart
    returned: list[Returned] = field(default_factory=list)
    begun: list[tuple[Desk, str]] = field(default_factory=list)
    _written: dict[str, list[Written]] = field(default_factory=dict)

    def plan(self, tours: Sequence[Tour]) -> None:
        """Each tour, from leaving to being back."""
        for tour in tours:
            self.town.days.at(tour.begins_at, partial(self._leave, tour))
            for one in tour.reports:
                self.town.days.at(one.came_at, partial(self._receive, one))
            self.town.days.at(tour.begins_at + WITHOUT_A_LINE, partial(self._return, tour))

    async def _leave(self, tour: Tour) -> None:
        """From here on it has its pages and its database, and no line."""
        await self.restart(tour.agency, "web")
        self._written[tour.agency] = []
        body = {"on": self.town.today().isoformat(), "what": "her_rights", "count": INFORMED}
        await self.town.at(tour.reports[0].place).post("/informed", body)

    async def _receive(self, one: Report) -> None:
        """She comes to the unit: a case, her complaint, and requests for wherever the programme has a way to from there."""
        desk, ways = self.town.at(one.place), list(self._ways(one))
        about = {AgencyKind.SOCIAL_WELFARE} if one.to_welfare else set()
        if any(self._kind(place) is AgencyKind.HEALTH for place, _package in ways):
            about.add(AgencyKind.HEALTH)
        else:  # there is nothing to ask her, and so no answer
            one = replace(one, clinic=None)
        case_id = await self.desks.case(desk, one)
        await self.desks.ask(desk, case_id, one, about)
        incident_id = await self.desks.incident(desk, case_id, one, one.hours_since)
        written = self._written[self.town.agency_of[one.place]]
        if one.clinic is not None:
            sent = await self.desks.send_to_care(desk, case_id, incident_id, one)
            written.append(Written(sent.referral_id, self.town.agency_of[one.clinic], one.clinic, sent.at, one, sent))
        for place, package in ways:
            if self._kind(place) is not AgencyKind.HEALTH:
                written.append(await self._send(desk, case_id, incident_id, one, place, package))
        await self.desks.complaint(desk, case_id, one)
        self.desks.done += 1

    def _ways(self, one: Report) -> Iterator[tuple[str, ServicePackage]]:
        """A place of each kind that the programme leads to from a unit, and what is asked of it. An examiner is asked after sexual
        violence alone."""
        start = self.town.kind_of(one.place)
        for way in self.town.programme.pathways.values():
            places = [id_ for kind in way.to for id_ in self.town.ground.places.get(kind, ())]
            if start in way.from_ and places:
                place = places[one.number % len(places)]
                if self._kind(place) is not AgencyKind.JUSTICE or one.is_sexual:
                    yield place, way.packages[0]

    def _kind(self, place: str) -> AgencyKind:
        return self.town.network.agencies[self.town.agency_of[place]].kind

    async def _send(
        self, desk: Desk, case_id: str, incident_id: str, one: Report, place: str, package: ServicePackage
    ) -> Written:  # fmt: skip
        await self.town.agree(desk, case_id, place, ("req", "fb"), one.language)
        referral_id = await self.town.request(desk, case_id, incident_id, place, package)
        return Written(referral_id, self.town.agency_of[place], place, self.town.days.now, one)

    async def _return(self, tour: Tour) -> None:
        """It has a line again. Whoever was asked has everything before anybody does anything about it."""
        town, written = self.town, self._written[tour.agency]
        early = [one.referral_id for one in written if await arriving.is_there(town.supervisors[one.agency], one.referral_id)]
        away = town.days.now - tour.begins_at
        await self.restart(tour.agency, "serve")
        await arriving.in_step(town.supervisors[tour.agency])
        lacking = [one.referral_id for one in written if not await self._has_come(one)]
        numbers = await self._numbers(tour)
        self.returned.append(Returned(tour.agency, away, len(written), tuple(early), tuple(lacking), numbers))
        for one in written:
            if one.sent is not None:
                town.after(one.report.seen_after, partial(self.desks.clinics.see, one.sent))
            else:
                town.after(TAKEN_AFTER, partial(self._take, one))

    async def _has_come(self, one: Written) -> bool:
        """Whether its recipient has it once, as issued when the unit issued it."""
        held = await self.town.supervisors[one.agency].all_of("/referrals?direction=in")
        return [datetime.fromisoformat(row["issued_at"]) for row in held if row["id"] == one.referral_id] == [one.at]

    async def _numbers(self, tour: Tour) -> tuple[int, int]:
        """How many numbers the unit has given, and how many of them its mother station holds, each once; 0 where the newest has not
        the unit's own time."""
        mother = self.town.network.agencies[tour.agency].mother
        register = await self.town.at(tour.reports[0].place).get("/register")
        stations = (await self.town.supervisors[mother or ""].get("/stations"))["items"]
        held = next(one for one in stations if one["agency"] == tour.agency)
        newest = max(register["items"], key=lambda line: line["number"])
        is_so = not held["missing"] and not held["twice"] and held["newest_at"] == newest["recorded_at"]
        return register["last"], held["held"] if is_so else 0

    async def _take(self, one: Written) -> None:
        """A station or an institute takes what has come; a station registers her complaint, and hands it over in its time."""
        worker = self.town.at(one.place)
        found = await arriving.opened(worker, one.referral_id)
        await worker.post(f"/referrals/{one.referral_id}/acknowledge")
        await worker.post(f"/referrals/{one.referral_id}/accept")
        if self._kind(one.place) is AgencyKind.POLICE:
            self.begun.append((worker, found["case_id"]))
            await self.desks.complaint(worker, found["case_id"], replace(one.report, place=one.place))

    async def handed_over(self) -> dict[str, int]:
        """How the complaints that began at a unit stand on their way to the prosecutor, by the stations' records."""
        found: dict[str, int] = {}
        for desk, case_id in self.begun:
            items: list[dict[str, Any]] = (await desk.get(f"/cases/{case_id}/hand-overs"))["items"]
            for one in items:
                found[one["stands"]] = found.get(one["stands"], 0) + 1
        return found
