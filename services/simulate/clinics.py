"""What a place of care does in a replay: it sees a request, promises, receives her, writes down what was given, and ends it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from services.simulate.arriving import opened
from services.simulate.caseload import Report
from services.simulate.client import Desk
from services.simulate.town import Town
from shared.contracts.casework.codes import FacilityMode, Sex

TREATED_FOR = timedelta(minutes=60)
NOT_COME_AFTER = timedelta(days=1)
GIVEN_UP_AFTER = timedelta(days=9)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as the desk sent it. `card` is the number on her card, where she has one."""

    referral_id: str
    place: str
    card: str | None
    report: Report
    at: datetime


@dataclass
class Clinics:
    """The places of care of a replay."""

    town: Town

    async def see(self, sent: Sent) -> None:
        """Somebody sees the request: at once, or from the paper of a night, the next morning."""
        nurse, came = self.town.at(sent.place), sent.report.comes_after
        await opened(nurse, sent.referral_id)
        written = self._written(sent)
        if written is not None:  # the phone told them; the sheet is entered afterwards, with its own times
            self.town.days.at(self._morning_after(sent), partial(self._from_paper, sent, self.town.days.now, written))
            return
        await nurse.post(f"/referrals/{sent.referral_id}/acknowledge")
        place = sent.place
        if sent.report.is_redirected and (other := self._another(sent.place)) is not None:
            await nurse.post(f"/referrals/{sent.referral_id}/redirect", {"to_facility": other})
            place, nurse = other, self.town.at(other)
        await nurse.post(f"/referrals/{sent.referral_id}/accept")
        if came is None:
            self.town.after(NOT_COME_AFTER, partial(self._did_not_come, nurse, sent))
        else:
            self.town.days.at(max(sent.at + came, self.town.days.now), partial(self._arrive, nurse, sent, place))

    def _written(self, sent: Sent) -> dict[str, str] | None:
        """What marks a fact that stands on paper; None where nothing does."""
        if self.town.is_apart(sent.place):
            return {"entered_for": sent.place}
        return {} if sent.report.is_on_paper and not sent.report.is_redirected else None

    def _morning_after(self, sent: Sent) -> datetime:
        came = sent.report.comes_after or timedelta(0)
        last = max(sent.at + came + TREATED_FOR, self.town.days.now)
        morning = self.town.next_morning()
        while morning <= last:
            morning += timedelta(days=1)
        return morning

    def _another(self, place: str) -> str | None:
        """Another place of the same agency with a line that offers as much, in the same district where there is one."""
        agency = self.town.agency_of[place]
        known = self.town.network.agencies[agency].facilities
        fitting = [
            id_ for id_, one in known.items()
            if id_ != place and one.mode is FacilityMode.ONLINE and set(known[place].services) <= set(one.services)
        ]  # fmt: skip
        return next(iter(sorted(fitting, key=lambda id_: known[id_].district != known[place].district)), None)

    async def _arrive(self, nurse: Desk, sent: Sent, place: str) -> None:
        feedback = sent.report.tells_back_at_clinic
        if sent.card is not None:
            await nurse.post("/arrivals", {"code": sent.card, "facility": place, "feedback": feedback})
        else:
            await nurse.post(f"/referrals/{sent.referral_id}/arrive", {"feedback": feedback})
        await nurse.post(f"/referrals/{sent.referral_id}/start")
        self.town.after(TREATED_FOR, partial(self._treat, nurse, sent))

    async def _treat(self, nurse: Desk, sent: Sent, **written: str) -> None:
        """What was given stays here; that it is over is told as far as she said."""
        at = {"occurred_at": written["occurred_at"]} if "occurred_at" in written else {}
        for line, result in self._care(sent.report):
            await nurse.post(f"/referrals/{sent.referral_id}/care", {"care": line, "result": result, **at})
        outcome = "served" if sent.report.number % 12 else "served_partly"
        await nurse.post(f"/referrals/{sent.referral_id}/close", {"outcome_code": outcome, "fee_asked": False, **written})

    def _care(self, one: Report) -> list[tuple[str, str]]:
        if not one.is_sexual:
            return [("first_line_support", "given")]
        lines = [("examination", "given"), ("pep", "given" if one.hours_since <= 72 else "refused")]
        if one.sex is Sex.FEMALE and not one.dose:
            lines.append(("emergency_contraception", "refused" if one.dose_declined else "given"))
        return lines

    async def _from_paper(self, sent: Sent, seen_at: datetime, written: dict[str, str]) -> None:
        """A sheet of the night is entered with its own times."""
        nurse, of = self.town.at(sent.place), f"/referrals/{sent.referral_id}"

        def on_sheet(at: datetime) -> dict[str, Any]:
            return {"occurred_at": at.isoformat(), **written}

        await nurse.post(f"{of}/acknowledge", on_sheet(seen_at))
        await nurse.post(f"{of}/accept", on_sheet(seen_at))
        came = sent.report.comes_after
        if came is None:
            await self._did_not_come(nurse, sent)
            return
        arrived_at = max(sent.at + came, seen_at)
        await nurse.post(f"{of}/arrive", {**on_sheet(arrived_at), "feedback": sent.report.tells_back_at_clinic})
        await nurse.post(f"{of}/start", on_sheet(arrived_at))
        await self._treat(nurse, sent, **on_sheet(arrived_at + TREATED_FOR))

    async def _did_not_come(self, nurse: Desk, sent: Sent) -> None:
        """She has not come yet: a fact, not an end. Nobody looks for her; some requests stay open, and lapse."""
        await nurse.post(f"/referrals/{sent.referral_id}/not-attended")
        if sent.report.number % 4:
            self.town.after(GIVEN_UP_AFTER, partial(self._give_up, nurse, sent))

    async def _give_up(self, nurse: Desk, sent: Sent) -> None:
        await nurse.post(f"/referrals/{sent.referral_id}/close", {"outcome_code": "not_reached_safely"})
