"""Stays at a centre in a replay: beds, nights in hospital, where to afterwards, and partners who take her on or have no place."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from services.simulate import arriving
from services.simulate.caseload import Report, Stay
from services.simulate.client import Desk
from services.simulate.town import Town
from shared.contracts.casework.codes import Ternary

AGENCY, FAMILY = "agency", "family"  # where to after a stay, as the stay register has it
TO_HOSPITAL_AFTER = timedelta(hours=1)
ANSWERED_AFTER = timedelta(hours=2)  # a partner reads its inbox
FALLS_AFTER = timedelta(hours=12)  # from a partner's yes: it has no place after all
EXTENDED_BY_DAYS = 3
ON_THE_WAY = timedelta(hours=1)
SERVED_AFTER = timedelta(days=9)


@dataclass
class _Staying:
    """A stay under way. `request` is the one that a partner has accepted."""

    desk: Desk
    case_id: str
    incident_id: str
    id: str
    report: Report
    stay: Stay
    request: str | None = None


@dataclass
class Centres:
    """The centres of a replay and the partners beside them."""

    town: Town

    async def admit(self, desk: Desk, case_id: str, incident_id: str, one: Report) -> None:
        """She stays. Everything that follows in her stay is put into the calendar."""
        assert one.stay is not None
        post = self.town.network.agencies[self.town.police].facilities[one.place].posts[0]
        made = await desk.post(f"/cases/{case_id}/stays", {"post": post, "with_her": [str(age) for age in one.stay.with_her]})
        at, away = _Staying(desk, case_id, incident_id, made["id"], one, one.stay), timedelta(days=one.stay.nights)
        if away:
            self.town.after(TO_HOSPITAL_AFTER, partial(self._happens, desk, at, "hospital_out"))
            self.town.after(TO_HOSPITAL_AFTER + away, partial(self._happens, desk, at, "hospital_back"))
        self.town.after(away + one.stay.planned_after, partial(self._plan, at))
        self.town.after(away + one.stay.leaves_after, partial(self._leave, at))

    async def _happens(self, by: Desk, at: _Staying, kind: str, **said: Any) -> None:
        await by.post(f"/stays/{at.id}/facts", {"kind": kind, **said})

    async def _plan(self, at: _Staying) -> None:
        """Where to afterwards: a partner is asked for a roof, or she has one and a partner is asked for what takes longer."""
        if at.stay.where != AGENCY:
            await self._happens(at.desk, at, "planned", way=at.stay.where, **_agreed(at.stay))
        if at.stay.asked:
            await self._ask(at, 0)

    async def _ask(self, at: _Staying, turn: int) -> None:
        """She says yes to one partner, and it is asked. Nothing goes to the next one before she has said yes to that one too."""
        place = at.stay.asked[turn]
        await self.town.agree(at.desk, at.case_id, place, ("req", "fb"), at.report.language)
        referral_id = await self.town.request(at.desk, at.case_id, at.incident_id, place, at.stay.service)
        self.town.after(ANSWERED_AFTER, partial(self._answer, at, turn, referral_id))

    async def _answer(self, at: _Staying, turn: int, referral_id: str) -> None:
        """The partner sees it, and takes her on, or has no place; the centre hears of either, and goes on from there."""
        worker = self.town.at(at.stay.asked[turn])
        await arriving.opened(worker, referral_id)
        await worker.post(f"/referrals/{referral_id}/acknowledge")
        is_last = turn == len(at.stay.asked) - 1
        if not is_last and not at.stay.falls:
            await self._has_no_place(at, worker, referral_id)
            await self._ask(at, turn + 1)
            return
        await worker.post(f"/referrals/{referral_id}/accept")
        await arriving.heard(at.desk, referral_id, "accepted")
        if at.stay.where == AGENCY:
            await self._happens(at.desk, at, "planned", way=AGENCY, referral_id=referral_id)
        at.request = referral_id
        if not is_last:
            self.town.after(FALLS_AFTER, partial(self._fall, at, turn, referral_id))

    async def _has_no_place(self, at: _Staying, worker: Desk, referral_id: str) -> None:
        await worker.post(f"/referrals/{referral_id}/decline", {"reason_code": "no_place"})
        await arriving.heard(at.desk, referral_id, "declined")

    async def _fall(self, at: _Staying, turn: int, referral_id: str) -> None:
        """No place after all: the plan falls by itself, a supervisor gives the stay more days, and she is asked again."""
        await self._has_no_place(at, self.town.at(at.stay.asked[turn]), referral_id)
        at.request = None
        until = self.town.today() + timedelta(days=EXTENDED_BY_DAYS)
        boss = self.town.supervisors[self.town.police]
        await self._happens(boss, at, "extended", reason="no_place", until=until.isoformat())
        await self._ask(at, turn + 1)

    async def _leave(self, at: _Staying) -> None:
        """She leaves: to whoever accepted, to her family with her own yes, or where she chooses."""
        said: dict[str, Any] = {"way": at.stay.where, **_agreed(at.stay)}
        if at.stay.where == AGENCY:
            said["referral_id"] = at.request
        await self._happens(at.desk, at, "left", **said)
        if at.request is not None:
            self.town.after(ON_THE_WAY, partial(self._receive, at, self.town.at(at.stay.asked[-1]), at.request))

    async def _receive(self, at: _Staying, worker: Desk, referral_id: str) -> None:
        """The partner receives her, and serves her."""
        await worker.post(f"/referrals/{referral_id}/arrive", {"feedback": at.report.tells_back_at_clinic})
        await worker.post(f"/referrals/{referral_id}/start")
        self.town.after(SERVED_AFTER, partial(self._end, worker, referral_id))

    async def _end(self, worker: Desk, referral_id: str) -> None:
        await worker.post(f"/referrals/{referral_id}/close", {"outcome_code": "served"})


def _agreed(stay: Stay) -> dict[str, Ternary]:
    """What the register asks before it plans or ends a stay with her family: her own yes, and the risks looked at."""
    return {"she_agrees": Ternary.YES, "risk_checked": Ternary.YES} if stay.where == FAMILY else {}
