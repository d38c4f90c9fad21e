"""What a social worker or a lawyer does in a replay: takes a request, follows the case, and ends it. What is taken back ends it
sooner."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from services.simulate.arriving import opened
from services.simulate.caseload import Report
from services.simulate.client import Desk, Refused
from services.simulate.town import Town
from shared.casework.directory.seats import UNDER_ONE_ROOF_KM
from shared.contracts.casework.codes import AgencyKind
from shared.kit.errors import RefnetError

SEEN_AFTER = timedelta(hours=3)
COMES_AFTER = timedelta(days=3)
ENDS_AFTER = timedelta(days=24)


@dataclass
class Offices:
    """The offices of a replay."""

    town: Town

    def near(self, place: str, *, is_seat_empty: bool = False) -> str:
        """The office under a desk's own roof, unless nobody sits there; that of its district, or the first."""
        agency = self.town.of_kind(AgencyKind.SOCIAL_WELFARE)
        if agency is None:
            raise RefnetError(f"Programme '{self.town.programme.id}' has no social welfare.")
        known = self.town.network.agencies[agency].facilities
        district = self.town.ground.district_of[place]
        beside = {id_ for id_, one in known.items() if place in one.journeys and one.journeys[place].km == UNDER_ONE_ROOF_KM}
        if beside and not is_seat_empty:
            return min(beside)
        seats = {known[id_].kind for id_ in beside}
        return min(known, key=lambda id_: (known[id_].kind in seats, known[id_].district != district, id_))

    def expect(self, referral_id: str, place: str, one: Report) -> None:
        """A request is on its way to an office."""
        self.town.after(SEEN_AFTER, partial(self._take, referral_id, place, one))

    async def _take(self, referral_id: str, place: str, one: Report) -> None:
        worker = self.town.at(place)
        found = await opened(worker, referral_id)
        await worker.post(f"/referrals/{referral_id}/acknowledge")
        await worker.post(f"/referrals/{referral_id}/accept")
        if self.town.network.agencies[self.town.agency_of[place]].kind is AgencyKind.SOCIAL_WELFARE:
            await worker.post(f"/cases/{found['case_id']}/assignment")
        if one.comes_after is not None:
            self.town.after(COMES_AFTER, partial(self._meet, worker, referral_id))

    async def _meet(self, worker: Desk, referral_id: str) -> None:
        if await self._goes_on(worker, referral_id, "arrive"):
            self.town.after(ENDS_AFTER, partial(self._end, worker, referral_id))

    async def _end(self, worker: Desk, referral_id: str) -> None:
        await self._goes_on(worker, referral_id, "close", outcome_code="served", fee_asked=False)

    async def _goes_on(self, worker: Desk, referral_id: str, act: str, **more: Any) -> bool:
        """Makes a transition; False where it has ended meanwhile, because she has taken back what she agreed to."""
        try:
            await worker.post(f"/referrals/{referral_id}/{act}", more)
        except Refused as refused:
            if refused.status not in (404, 409):
                raise
            return False
        return True
