"""What a police desk does in a replay, through the API as its own program would: a case, an incident, her answers, a dose, requests
for care, a complaint; and what comes afterwards.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from services.simulate import arriving
from services.simulate.boxes import Boxes
from services.simulate.caseload import Report
from services.simulate.centres import Centres
from services.simulate.client import Desk
from services.simulate.clinics import Clinics, Sent
from services.simulate.offices import Offices
from services.simulate.prosecutors import Prosecutors
from services.simulate.town import Town
from shared.casework.directory.seats import seats_at
from shared.contracts.casework.codes import AgencyKind, IncidentType, ServicePackage

WANTED = {  # what is asked of a place of care, as far as it offers it
    IncidentType.RAPE: (ServicePackage.ACUTE_CARE, ServicePackage.EXAMINATION_AND_REPORT),
    IncidentType.SEXUAL_ASSAULT: (ServicePackage.ACUTE_CARE, ServicePackage.EXAMINATION_AND_REPORT),
    IncidentType.PHYSICAL_ASSAULT: (ServicePackage.INJURY_CARE,),
}
OTHERWISE = (ServicePackage.MENTAL_HEALTH_CARE,)
ACUTE_WITHIN_H = 120
ASKED_ABOUT = (AgencyKind.HEALTH, AgencyKind.SOCIAL_WELFARE)
SAID_OF_SEATS = ("present", "present", "called_away", None, "present", "on_leave", "not_posted")  # None: nobody says anything


@dataclass
class Desks:
    """The police of a replay. `waiting` are calls that may open a case, by desk; `done` counts what was done."""

    town: Town
    clinics: Clinics
    offices: Offices
    boxes: Boxes
    centres: Centres
    waiting: dict[str, list[str]]
    done: int = 0

    async def receive(self, one: Report) -> None:
        """She comes to the desk."""
        desk = self.town.at(one.place)
        is_seat_empty = await self._who_is_there(desk, one)
        case_id = await self.case(desk, one)
        consents = await self.ask(desk, case_id, one)
        incident_id = await self.incident(desk, case_id, one, one.hours_since)
        if one.dose or one.dose_declined:
            await self.boxes.offer(desk, one.place, case_id, incident_id, is_taken=one.dose)
        if one.clinic is not None:
            await self._send_to_care(desk, case_id, incident_id, one, is_first=True)
        if one.to_welfare:
            await self._send_to_office(desk, case_id, incident_id, one, is_seat_empty=is_seat_empty)
        if one.legal_aid is not None:
            await self._send_to_lawyer(desk, case_id, incident_id, one, one.legal_aid)
        if one.stay is not None:
            await self.centres.admit(desk, case_id, incident_id, one)
        if one.complains:
            await self.complaint(desk, case_id, one)
        self._afterwards(desk, case_id, one, consents)
        self.done += 1

    async def case(self, desk: Desk, one: Report) -> str:
        """A case of hers; her call opened it, where one waits."""
        waiting = self.waiting.get(one.place)
        if one.by_call and not one.is_child and waiting:
            return str((await desk.post(f"/calls/{waiting.pop(0)}/case"))["id"])
        body: dict[str, Any] = {
            "facility": one.place, "needs": _needs(one), "safety": {"safe_to_return": "unknown", "alone_on_phone": "no"},
        }  # fmt: skip
        if one.is_child:
            body["child"] = {"assent": "yes", "safe_adult_present": "yes" if one.has_safe_adult else "no"}
        return str((await desk.post("/cases", body))["id"])

    async def incident(self, desk: Desk, case_id: str, one: Report, hours: int) -> str:
        """What happened to her."""
        now = self.town.days.now
        contexts = ["child_sexual_abuse"] if one.is_child and one.is_sexual else []
        body = {
            "incident_type": one.incident, "contexts": contexts, "earliest_at": (now - timedelta(hours=hours)).isoformat(),
            "latest_at": (now - timedelta(hours=max(hours - 1, 0))).isoformat(),
        }  # fmt: skip
        return str((await desk.post(f"/cases/{case_id}/incidents", body))["id"])

    async def ask(
        self, desk: Desk, case_id: str, one: Report, about: Collection[AgencyKind] = ASKED_ABOUT
    ) -> dict[AgencyKind, str]:  # fmt: skip
        """Her answers, one for each recipient that she is asked about, each kept: yes or no. Answers the consents, by kind."""
        wanted = {
            AgencyKind.HEALTH: (one.clinic is not None, "care", ["req", "needs", "given", *(["fb"] if one.is_told_back else [])]),
            AgencyKind.SOCIAL_WELFARE: (one.to_welfare, "support", ["req", "needs", "safety", "prog"]),
        }
        found = {}
        for kind, (agrees, purpose, items) in wanted.items():
            agency = self.town.of_kind(kind)
            if agency is None or kind not in about:
                continue
            answer = {"recipient": agency, "how": "thumb", "language": one.language}
            if not agrees:
                await desk.post(f"/cases/{case_id}/refusals", answer)
                continue
            body = answer | {"purpose": purpose, "items": items}
            found[kind] = str((await desk.post(f"/cases/{case_id}/consents", body))["id"])
        return found

    async def _send_to_care(self, desk: Desk, case_id: str, incident_id: str, one: Report, *, is_first: bool) -> None:
        word = await self.send_to_care(desk, case_id, incident_id, one)
        self.town.after(one.seen_after, partial(self.clinics.see, word))
        if is_first and one.again_after is not None:
            self.town.after(one.again_after, partial(self._again, desk, case_id, one))

    async def send_to_care(self, desk: Desk, case_id: str, incident_id: str, one: Report) -> Sent:
        """A request for care is issued, and she sets out; somebody is to see it."""
        assert one.clinic is not None
        agency = self.town.agency_of[one.clinic]
        offered = self.town.network.agencies[agency].facilities[one.clinic].services
        services = [str(package) for package in WANTED.get(one.incident, OTHERWISE) if package in offered]
        urgency = "acute" if one.is_sexual and one.hours_since <= ACUTE_WITHIN_H else "urgent"
        escort = "officer" if one.is_sexual or not one.has_safe_adult else "safe_adult"
        travel = {"mode": "police_vehicle" if escort == "officer" else "bus", "escort": escort}
        body: dict[str, Any] = {
            "case_id": case_id, "incident_id": incident_id, "to_agency": agency, "to_facility": one.clinic,
            "services": services or [str(offered[0])], "urgency": urgency, "travel": travel,
        }  # fmt: skip
        forms = self.town.programme.report_forms
        if forms and ServicePackage.EXAMINATION_AND_REPORT in services:
            id_, form = next(iter(forms.items()))
            body["report_form"] = {"form": id_, "form_version": form.version}
        sent = await self.town.issue(desk, body)
        if self.town.is_apart(one.clinic):  # somebody is telephoned: no machine of theirs will sign for it
            post = self.town.network.agencies[agency].facilities[one.clinic].posts[0]
            await desk.post(f"/referrals/{sent['id']}/told-by-phone", {"post": post})
        if one.comes_after is not None:
            await desk.post(f"/referrals/{sent['id']}/set-out", travel)
        card = sent.get("arrival_code") if one.has_card else None
        return Sent(sent["id"], one.clinic, card, one, self.town.days.now)

    async def _again(self, desk: Desk, case_id: str, one: Report) -> None:
        """It has happened again while the first request is open: another incident, and another acute request."""
        incident_id = await self.incident(desk, case_id, one, 2)
        await self._send_to_care(desk, case_id, incident_id, one, is_first=False)

    async def _who_is_there(self, desk: Desk, one: Report) -> bool:
        """What the unit says that day of who sits there; some days nobody says anything. Whether the seat is said to be empty."""
        programme = self.town.programme
        seats = seats_at(programme, self.town.network.agencies[self.town.police].facilities[one.place].kind)
        said = SAID_OF_SEATS[one.number % len(SAID_OF_SEATS)]
        if not seats or said is None:
            return False
        for seat, presence in (("unit", "present"), *((seat, said) for seat in seats)):
            await desk.post("/seats", {"seat": seat, "presence": presence, "facility": one.place})
        return said != "present"

    async def _send_to_office(self, desk: Desk, case_id: str, incident_id: str, one: Report, *, is_seat_empty: bool) -> None:
        agency = self.town.of_kind(AgencyKind.SOCIAL_WELFARE)
        if agency is None:
            return
        place = self.offices.near(one.place, is_seat_empty=is_seat_empty)
        offered = self.town.network.agencies[agency].facilities[place].services
        wanted = ServicePackage.CHILD_PROTECTION if one.is_child else ServicePackage.PSYCHOSOCIAL
        await self._request(desk, case_id, incident_id, one, place, wanted if wanted in offered else offered[0])

    async def _send_to_lawyer(self, desk: Desk, case_id: str, incident_id: str, one: Report, place: str) -> None:
        """A partner's lawyer is asked, with her yes to that one: for the request alone."""
        await self.town.agree(desk, case_id, place, ("req", "fb"), one.language)
        await self._request(desk, case_id, incident_id, one, place, ServicePackage.LEGAL_AID)

    async def _request(
        self, desk: Desk, case_id: str, incident_id: str, one: Report, place: str, service: ServicePackage
    ) -> None:  # fmt: skip
        self.offices.expect(await self.town.request(desk, case_id, incident_id, place, service), place, one)

    async def complaint(self, desk: Desk, case_id: str, one: Report) -> None:
        """Her complaint is registered, and goes its way."""
        complaint = await desk.post(f"/cases/{case_id}/complaints", {"told_now": True})
        await Prosecutors(self.town).expect(desk, case_id, one)
        if one.withdraws_after is not None:
            self.town.after(one.withdraws_after, partial(self._withdraw, desk, case_id, complaint["id"], one))
        else:
            self.town.after(timedelta(days=2, hours=1), partial(self._step, desk, case_id, complaint["id"], "statement_taken"))

    async def _step(self, desk: Desk, case_id: str, complaint_id: str, code: str) -> None:
        await desk.post(f"/cases/{case_id}/complaints/{complaint_id}/steps", {"code": code, "told_now": True})

    async def _withdraw(self, desk: Desk, case_id: str, complaint_id: str, one: Report) -> None:
        """Her complaint is withdrawn; care goes on."""
        body = {
            "asked_by": "family" if one.is_pressed else "she", "pressure": "yes" if one.is_pressed else "no", "asked_alone": True,
            "is_safe": "unknown", "told_now": True,
        }  # fmt: skip
        await desk.post(f"/cases/{case_id}/complaints/{complaint_id}/withdrawals", body)
        if one.is_pressed:
            await desk.post(f"/cases/{case_id}/progress", {"code": "pressure_to_settle"})

    def _afterwards(self, desk: Desk, case_id: str, one: Report, consents: dict[AgencyKind, str]) -> None:
        consent_id = consents.get(AgencyKind.SOCIAL_WELFARE)
        if one.takes_back_after is not None and consent_id is not None:
            self.town.after(one.takes_back_after, partial(self._take_back, desk, case_id, consent_id))

    async def _take_back(self, desk: Desk, case_id: str, consent_id: str) -> None:
        """She takes back what she agreed to: at once, and nobody approves it."""
        stands = next(one for one in (await desk.get(f"/cases/{case_id}/consents"))["items"] if one["id"] == consent_id)
        await desk.delete(f"/cases/{case_id}/consents/{consent_id}", stands["version"])
        await arriving.erased(desk, case_id, consent_id)


def _needs(one: Report) -> dict[str, str]:
    return {"age_band": one.age, "sex": one.sex, "language": one.language, "staff_preference": "female"}
