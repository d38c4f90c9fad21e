"""What becomes of a complaint that is to be handed to the prosecutor in a replay: she is asked, it is handed over within the time
of the programme's pathway, and the prosecutor takes it.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from services.simulate.arriving import opened
from services.simulate.caseload import STEP_MIN, Report
from services.simulate.client import Desk
from services.simulate.town import Town
from shared.contracts.casework.codes import ServicePackage

TAKEN_AFTER = timedelta(hours=3)


def handed_after(limit: timedelta, share: float) -> timedelta:
    """After how long a complaint is handed over: some share of the time that there is, in steps of a replay's clock, and never the
    last of them."""
    step = timedelta(minutes=STEP_MIN)
    return step * (1 + int(share * max(limit // step - 1, 0)))


@dataclass
class Prosecutors:
    """The prosecutors of a replay."""

    town: Town

    def of(self, place: str) -> tuple[str, timedelta] | None:
        """Where a place hands its complaints over, and in what time; None where the programme has it hand over none."""
        start = self.town.kind_of(place)
        for way in self.town.programme.pathways.values():
            if start in way.from_ and ServicePackage.PROSECUTION in way.packages and way.respond_h is not None:
                for to in (id_ for kind in sorted(way.to) for id_ in self.town.ground.places.get(kind, ())):
                    return to, timedelta(hours=float(way.respond_h))
        return None

    async def expect(self, desk: Desk, case_id: str, one: Report) -> None:
        """A complaint was registered: she is asked about the prosecutor, and it is handed over."""
        found = self.of(one.place)
        if found is None:
            return
        to, limit = found
        await self.town.agree(desk, case_id, to, ("req",), one.language)
        self.town.after(handed_after(limit, one.hand_over_share), partial(self._hand_over, desk, case_id, to))

    async def _hand_over(self, desk: Desk, case_id: str, to: str) -> None:
        referral_id = await self.town.request(desk, case_id, None, to, ServicePackage.PROSECUTION)
        self.town.after(TAKEN_AFTER, partial(self._take, referral_id, to))

    async def _take(self, referral_id: str, to: str) -> None:
        clerk = self.town.at(to)
        await opened(clerk, referral_id)
        await clerk.post(f"/referrals/{referral_id}/acknowledge")
        await clerk.post(f"/referrals/{referral_id}/accept")
