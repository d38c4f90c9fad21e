"""Who works in a replay, and where: accounts of every desk, clinic and office, and the calendar that they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.simulate.caseload import REPORTS, Ground
from services.simulate.client import Desk, Line
from services.simulate.days import Act, Days
from services.staging import Account, Person
from shared.casework.accounts.commands import TOKEN_LIFE
from shared.casework.directory.network import Network
from shared.casework.sharing import THERE_FOR
from shared.contracts.casework.codes import AgencyKind, FacilityMode, Role
from shared.kit.errors import RefnetError
from shared.programmes.indicators import Measure
from shared.programmes.profile import Programme

TOKENS_RENEWED_AFTER = TOKEN_LIFE - timedelta(days=10)
AT_A_DESK = 2  # colleagues: a box is counted by two, and the second shift is somebody else
WORKS = {  # an oversight body serves nobody and has no desk: somebody there looks at what it was told
    AgencyKind.POLICE: Role.OFFICER, AgencyKind.HEALTH: Role.CLINICIAN, AgencyKind.SOCIAL_WELFARE: Role.SOCIAL_WORKER,
    AgencyKind.PARTNER: Role.SOCIAL_WORKER, AgencyKind.JUSTICE: Role.OFFICER,
}  # fmt: skip
SUPERVISOR = "supervisor"


def staffed(ground: Ground, programme: Programme) -> tuple[str, ...]:
    """The desks of the police at which somebody works in a replay: where people come, where calls go, and where they are taken."""
    kinds = [one.kind for one in ground.series.values() if one.measure in (*REPORTS, Measure.CALLS)]
    at = programme.hotline.at if programme.hotline else ()
    came_to = [place for kind in dict.fromkeys((*kinds, *at)) for place in ground.places.get(kind, ())]
    return tuple(dict.fromkeys((*came_to, *ground.desks, *ground.others_come_to)))


def people_of(ground: Ground, programme: Programme, network: Network) -> dict[str, list[Person]]:
    """Accounts by agency, the supervisor's first. A place without a line has none: its hub's write for it."""
    desks = staffed(ground, programme)
    found: dict[str, list[Person]] = {}
    for agency, entry in network.agencies.items():
        found[agency] = [Person(SUPERVISOR, Role.SUPERVISOR, None)]
        if (role := WORKS.get(entry.kind)) is None:
            continue
        is_unit = agency in ground.units
        for id_, place in entry.facilities.items():
            is_manned = entry.kind is not AgencyKind.POLICE or is_unit or id_ in desks
            if place.mode is FacilityMode.ONLINE and not place.is_planned and is_manned:
                many = AT_A_DESK if entry.kind is AgencyKind.POLICE else 1
                found[agency] += [Person(f"{role}-{turn}-{id_}", role, id_) for turn in range(1, many + 1)]
    return found


@dataclass
class Town:
    """Everything that acts of a replay need. `desks` has the accounts of a place by its agency and id, `issued` every referral of
    the replay with its recipient."""

    programme: Programme
    network: Network
    ground: Ground
    days: Days
    lines: Mapping[str, Line]
    supervisors: dict[str, Desk] = field(default_factory=dict)
    desks: dict[tuple[str, str], list[Desk]] = field(default_factory=dict)
    agency_of: dict[str, str] = field(default_factory=dict)  # by place
    issued: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.agency_of = {id_: agency for agency, entry in self.network.agencies.items() for id_ in entry.facilities}

    def take(self, people: Mapping[str, Sequence[Person]], accounts: Mapping[str, Sequence[Account]]) -> None:
        """The accounts as they were made."""
        for agency, several in people.items():
            for person, made in zip(several, accounts[agency], strict=True):
                desk = Desk(self.lines[agency], person.name, str(made.id), made.token)
                if person.facility is None:
                    self.supervisors[agency] = desk
                else:
                    self.desks.setdefault((agency, person.facility), []).append(desk)

    def everybody(self, agency: str) -> list[Desk]:
        """Every account of an agency."""
        return [
            self.supervisors[agency],
            *(desk for (of, _place), several in self.desks.items() if of == agency for desk in several),
        ]

    @property
    def serving(self) -> dict[str, Desk]:
        """The supervisors of all that serve somebody, and have cases."""
        return {agency: desk for agency, desk in self.supervisors.items() if self.network.agencies[agency].kind in WORKS}

    def kind_of(self, place: str) -> str | None:
        """The programme's kind of a place."""
        return self.network.agencies[self.agency_of[place]].facilities[place].kind

    def of_kind(self, kind: AgencyKind) -> str | None:
        """The agency of a kind; None where the programme has none."""
        return next((id_ for id_, entry in self.network.agencies.items() if entry.kind is kind), None)

    @property
    def police(self) -> str:
        """The police."""
        found = self.of_kind(AgencyKind.POLICE)
        if found is None:
            raise RefnetError(
                f"Programme '{self.programme.id}' has no police, so nobody comes to a desk; there is nothing to replay."
            )
        return found

    def at(self, place: str, turn: int = 0) -> Desk:
        """Who works at a place: an officer, nurse or worker of its own, or of the hub that writes for it."""
        agency = self.agency_of[place]
        facility = self.network.agencies[agency].facilities[place]
        of = place if facility.mode is FacilityMode.ONLINE else facility.hub
        if of is None or (agency, of) not in self.desks:
            raise RefnetError(f"Nobody works at {place}: it has no line, and no hub that has one.")
        several = self.desks[agency, of]
        return several[turn % len(several)]

    def is_apart(self, place: str) -> bool:
        """Whether a place has no line of its own."""
        return self.network.agencies[self.agency_of[place]].facilities[place].mode is not FacilityMode.ONLINE

    async def agree(self, desk: Desk, case_id: str, place: str, items: Sequence[str], language: str) -> None:
        """She says yes, with her thumb, to asking whoever works at a place for what they are there for."""
        purpose = THERE_FOR[self.network.agencies[self.agency_of[place]].kind]
        body = {"recipient": self.agency_of[place], "purpose": purpose, "items": [*items], "how": "thumb", "language": language}
        await desk.post(f"/cases/{case_id}/consents", body)

    async def request(self, desk: Desk, case_id: str, incident_id: str | None, place: str, package: str) -> str:
        """A place is asked for one package, for what happened or for the case; which referral it is."""
        body = {
            "case_id": case_id, "incident_id": incident_id, "to_agency": self.agency_of[place], "to_facility": place,
            "services": [package], "urgency": "urgent",
        }  # fmt: skip
        return str((await self.issue(desk, body))["id"])

    async def issue(self, desk: Desk, body: dict[str, Any]) -> dict[str, Any]:
        """A referral as a desk writes it; what the desk is answered."""
        sent: dict[str, Any] = await desk.post("/referrals", body)
        self.issued.append((sent["id"], body["to_agency"]))
        return sent

    def local(self, day: date, at: time) -> datetime:
        """A moment on the clocks of the walls."""
        return datetime.combine(day, at, ZoneInfo(self.programme.time_zone))

    def today(self) -> date:
        """The day on the walls."""
        return self.days.now.astimezone(ZoneInfo(self.programme.time_zone)).date()

    def next_morning(self) -> datetime:
        """When what was written on paper is entered."""
        return self.local(self.today() + timedelta(days=1), MORNING)

    def after(self, span: timedelta, act: Act) -> None:
        """Something is to happen some time from now."""
        self.days.after(span, act)


MORNING = time(8, 30)
