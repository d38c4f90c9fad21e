"""The hotline's room and its desks in a replay: who is on duty, what each desk says of itself, calls taken, routed and seen."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from functools import partial
from itertools import islice
from typing import Any

from services.simulate import arriving
from services.simulate.caseload import LineCall
from services.simulate.client import Refused
from services.simulate.town import Town, staffed
from shared.casework.accounts.rosters import DUTIES_MAX, DUTY_MAX

SHIFT_BEGINS = time(7, 0)  # of a day and a night
SAYS_AT, SAYS_LAST_AT = time(7, 5), time(20, 5)  # the last evening's word still counts when the figures are asked for
MOVES_MAX = 4  # how often a late call may move on between a look at it and the desk's answer


@dataclass
class Room:
    """The roster, the room and its calls: `ways` are their ids by number, `waiting` those that may open a case, by desk."""

    town: Town
    waiting: dict[str, list[str]]
    ways: dict[int, str] = field(default_factory=dict)
    done: int = 0

    def plan(self, first: date, last: date, calls: Sequence[LineCall], visited: dict[date, set[str]]) -> None:
        """Rosters week by week; desks say how they stand on the first of a month, on the last day, and before somebody comes."""
        day = first
        while day <= last:
            if day == first or day.weekday() == 0:
                begin = self.town.local(day, SHIFT_BEGINS) - timedelta(minutes=10)
                until = min(last, day + timedelta(days=6 - day.weekday()))
                self.town.days.at(begin, partial(self.hold, day, until))
            says = set(self.town.ground.desks) if day in (first, last) or day.day == 1 else visited.get(day, set())
            for place in sorted(says & set(self.town.ground.desks)):
                self.town.days.at(self.town.local(day, SAYS_AT if day < last else SAYS_LAST_AT), partial(self.say, place))
            day += timedelta(days=1)
        for call in calls:
            self.town.days.at(call.came_at, partial(self._come, call))

    async def hold(self, first: date, last: date, but: str | None = None) -> None:
        """Each desk's lowest post is held day and night from the first to the last of these days, by its colleagues in turn."""
        duties: list[dict[str, Any]] = []
        agency = self.town.police
        for place in staffed(self.town.ground, self.town.programme):
            facility = self.town.network.agencies[agency].facilities[place]
            if place == but:
                continue
            for turn in range((last - first).days + 1):
                begins = self.town.local(first + timedelta(days=turn), SHIFT_BEGINS)
                duties.append(
                    {"facility": place, "post": facility.posts[0], "account_id": self.town.at(place, turn).account_id,
                     "from_at": begins.isoformat(), "until_at": (begins + DUTY_MAX).isoformat()}
                )  # fmt: skip
        ahead = iter(duties)
        while some := list(islice(ahead, DUTIES_MAX)):
            await self.town.supervisors[agency].post("/duties", {"duties": some})

    async def say(self, place: str) -> None:
        """A desk says what it has: everything that the programme gives it, and a trained officer."""
        kind = self.town.network.agencies[self.town.police].facilities[place].kind
        assets = self.town.programme.facilities[kind or ""].assets
        body = {"facility": place, "assets": list(assets), "is_trained": True, "languages": list(self.town.programme.languages)}
        await self.town.at(place).post("/hotline/desk", body)

    async def _come(self, call: LineCall) -> None:
        await self.take(call)
        self.done += 1

    async def take(self, call: LineCall) -> str | None:
        """The room takes a call. Returns the desk that it went to."""
        room = self.town.at(self._room())
        body: dict[str, Any] = {"channel": call.channel, "what": call.what}
        if call.what != "wrong_number":
            body |= {"district": call.district, "language": call.language, "is_child": call.is_child,
                     "needs_vehicle": call.needs_vehicle, "may_call_back": call.may_call_back}  # fmt: skip
        if call.need is not None:
            body["need"] = str(call.need)
        taken = await room.post("/calls", body)
        self.ways[call.number] = taken["id"]
        if call.again_of in self.ways:  # somebody in the room hears that it is she
            await room.post(f"/calls/{taken['id']}/merge", {"into": self.ways[call.again_of]})
        elif taken["seen_at"] is None and taken["desk"] is not None:
            self.town.after(call.seen_after, partial(self._see, call, taken["id"]))
        return taken["desk"]  # type: ignore[no-any-return]

    async def _see(self, call: LineCall, call_id: str) -> None:
        """The desk that has it says that it has seen it; a late one may have gone on to another desk meanwhile."""
        room = self.town.at(self._room())
        for again in range(MOVES_MAX):
            desk = (await room.get(f"/calls/{call_id}"))["desk"]
            try:
                await self.town.at(desk).post(f"/calls/{call_id}/seen")
            except Refused as refused:
                if refused.status not in (404, 409) or again == MOVES_MAX - 1:
                    raise
            else:
                if call.what == "report" and not call.is_child and desk != self._room():
                    self.waiting.setdefault(desk, []).append(call_id)
                return

    def _room(self) -> str:
        hotline = self.town.programme.hotline
        assert hotline is not None
        return next(place for kind in hotline.at for place in self.town.ground.places[kind])

    async def alarm_of(self, place: str) -> Any:
        """The alarm that a desk has nobody, as the supervisor finds it; None where there is none."""
        return await arriving.alarm(self.town.supervisors[self.town.police], "desk_unmanned", place)
