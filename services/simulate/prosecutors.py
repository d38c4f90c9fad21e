"""What becomes of a complaint that is to be handed to the prosecutor in a replay: she is asked, it is handed over within the time
of the programme's pathway, and the prosecutor takes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from services.simulate.arriving import opened
from services.simulate.caseload import Report
from services.simulate.client import Desk
from services.simulate.town import Town
from shared.contracts.casework.codes import ServicePackage

HANDED_AFTER = (timedelta(hours=2), timedelta(hours=9), timedelta(hours=17))  # by the report's number; of 24 hours
TAKEN_AFTER = timedelta(hours=3)


@dataclass
class Prosecutors:
    """The prosecutors of a replay. `issued` takes each referral and its recipient."""

    town: Town
    issued: Callable[[tuple[str, str]], None]

    def of(self, place: str) -> str | None:
        """Where a place hands its complaints over; None where the programme has it hand over none."""
        start = self.town.network.agencies[self.town.agency_of[place]].facilities[place].kind
        ways = [way for way in self.town.programme.pathways.values() if start in way.from_ and way.respond_h is not None]
        kinds = {kind for way in ways if ServicePackage.PROSECUTION in way.packages for kind in way.to}
        return next((id_ for kind in sorted(kinds) for id_ in self.town.ground.places.get(kind, ())), None)

    async def expect(self, desk: Desk, case_id: str, one: Report) -> None:
        """A complaint was registered: she is asked about the prosecutor, and it is handed over."""
        to = self.of(one.place)
        if to is None:
            return
        body = {
            "recipient": self.town.agency_of[to], "purpose": "justice", "items": ["req"], "how": "thumb", "language": one.language,
        }  # fmt: skip
        await desk.post(f"/cases/{case_id}/consents", body)
        self.town.after(HANDED_AFTER[one.number % len(HANDED_AFTER)], partial(self._hand_over, desk, case_id, to))

    async def _hand_over(self, desk: Desk, case_id: str, to: str) -> None:
        agency = self.town.agency_of[to]
        body = {
            "case_id": case_id, "to_agency": agency, "to_facility": to, "services": [str(ServicePackage.PROSECUTION)],
            "urgency": "urgent",
        }  # fmt: skip
        sent = await desk.post("/referrals", body)
        self.issued((sent["id"], agency))
        self.town.after(TAKEN_AFTER, partial(self._take, sent["id"], to))

    async def _take(self, referral_id: str, to: str) -> None:
        clerk = self.town.at(to)
        await opened(clerk, referral_id)
        await clerk.post(f"/referrals/{referral_id}/acknowledge")
        await clerk.post(f"/referrals/{referral_id}/accept")
