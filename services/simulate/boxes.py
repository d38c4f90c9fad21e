"""The locked boxes of a replay: who is certified, what lies in each box, its counts by two, and its supplies.

What lies in a box is kept here as hands move it, apart from the book that the officers write: a count says what is there, so that a
dose which no book explains would be found.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from functools import partial
from typing import Any

from services.simulate.arriving import opened_request, until_sent
from services.simulate.caseload import Ground
from services.simulate.client import Desk
from services.simulate.town import Town
from shared.contracts.casework.codes import AgencyKind, CareProduct, FacilityMode
from shared.programmes.indicators import Measure
from shared.programmes.terms import Act
from shared.programmes.vocabulary import CertificateRequired

EC = str(CareProduct.EMERGENCY_CONTRACEPTION)
FIRST_PARCEL, PARCEL = 20, 20  # doses
LOW = 10  # doses: a station's use of six weeks and more
STORE = 1000  # doses that a store is given at a time
KEEPS_DAYS = 900  # of a pack from the day on which it comes
EARLY, EVENING = time(6, 40), time(22, 5)  # when nobody is at the desk: what is counted does not move meanwhile
RENEWED_BEFORE = timedelta(days=40)  # a certificate's end: courses are held each month
BROKEN_SHARE = 0.1  # of a month's counts: a pack is found wet or torn, and is destroyed


@dataclass
class Boxes:
    """Every box of a replay. `held` is what lies in each, by batch."""

    town: Town
    seed: int
    held: dict[str, Counter[str]] = field(default_factory=dict)
    _batches: int = 0
    _asked: set[str] = field(default_factory=set)  # places whose parcel is on its way

    @property
    def certificate(self) -> str | None:
        """What giving the product needs; None where this programme's police give none."""
        rules = self.town.programme.rules.values()
        found = (one for one in rules if isinstance(one, CertificateRequired) and one.act is Act.DISPENSE_EMERGENCY_CONTRACEPTION)
        return next((one.certificate for one in found), None)

    def places(self) -> tuple[str, ...]:
        """Where a box stands: at each desk that gives doses."""
        ground: Ground = self.town.ground
        kinds = dict.fromkeys(one.kind for one in ground.series.values() if one.measure is Measure.DOSES)
        return tuple(place for kind in kinds for place in ground.places[kind]) if self.certificate else ()

    async def open(self) -> None:
        """Before the first day: officers are certified, and each box is filled for the first time."""
        if not self.places():
            return
        await self.certify()
        for place in self.places():
            self.held[place] = Counter()
            await self._supply(place, FIRST_PARCEL, "first_stock")

    async def certify(self) -> None:
        """A supervisor enters what each officer holds, and anew before it ends."""
        supervisor, today = self.town.supervisors[self.town.police], self.town.today()
        held = {
            one["account_id"]: date.fromisoformat(one["valid_until"])
            for one in reversed((await supervisor.get("/certificates"))["items"]) if one["valid_until"]
        }  # fmt: skip
        by = self.town.programme.certificates[self.certificate or ""].certified_by
        at_boxes = {id(desk): desk for place in self.places() for turn in range(2) for desk in (self.town.at(place, turn),)}
        for desk in at_boxes.values():
            if held.get(desk.account_id, today) - today <= RENEWED_BEFORE:
                await supervisor.post(
                    "/certificates",
                    {"account_id": desk.account_id, "certificate": self.certificate, "trained_on": _iso(today - timedelta(days=2)),
                     "certified_on": _iso(today), "certified_by": by},
                )  # fmt: skip

    async def offer(self, desk: Desk, place: str, case_id: str, incident_id: str, *, is_taken: bool) -> None:
        """It is offered: she takes it, and it leaves the box; or she declines, which is kept too."""
        if place not in self.held:
            return
        outcome = "given" if is_taken else "declined"
        body = {"product": EC, "incident_id": incident_id, "outcome": outcome, "facility": place}
        dose = await desk.post(f"/cases/{case_id}/doses", body)
        if is_taken:
            self.held[place][dose["said"]["batch"]] -= 1
            if self.held[place].total() < LOW and place not in self._asked:
                self._asked.add(place)
                self.town.after(timedelta(0), partial(self._supply, place, PARCEL, "low"))

    async def count(self, place: str) -> None:
        """Two count what lies there, after what may not be given any more was destroyed."""
        first, second = self.town.at(place), self.town.at(place, 1)
        box = f"/dispensing/box?facility={place}"
        lots = (await first.get(box))["lots"]
        today = _iso(self.town.today())
        chance = random.Random(f"{self.town.ground.programme}:{self.seed}:box:{place}:{today}")  # noqa: S311 — nobody's secret
        off = {lot["batch"]: self.held[place][lot["batch"]] for lot in lots if lot["is_expired"]}
        if lots and chance.random() < BROKEN_SHARE and self.held[place][lots[0]["batch"]]:
            off.setdefault(lots[0]["batch"], 1)
        for lot in lots:
            await self._destroy(first, place, lot, off.get(lot["batch"], 0))
        lots = (await first.get(box))["lots"] if off else lots
        found = {"counted": [{"product": EC, "batch": lot["batch"], "quantity": self.held[place][lot["batch"]]} for lot in lots]}
        counted = await first.post("/dispensing/counts", {**found, "facility": place})
        await second.post(f"/dispensing/counts/{counted['id']}/second", found)

    async def _destroy(self, desk: Desk, place: str, lot: dict[str, Any], many: int) -> None:
        if many:
            line = {"product": EC, "batch": lot["batch"], "expires_on": lot["expires_on"], "kind": "destroyed", "quantity": many}
            await desk.post("/dispensing/entries", {**line, "facility": place})
            self.held[place][lot["batch"]] -= many

    async def state_month(self, place: str, month: str) -> None:
        """What the box came to in a month that is over is told to the place that supplies it."""
        await self.town.at(place).post("/dispensing/statements", {"month": month, "facility": place})

    async def _supply(self, place: str, many: int, reason: str) -> None:
        """The station asks, the place of care sends, the station counts what came."""
        desk, store = self.town.at(place), self._store(place)
        agency, keeper = self.town.agency_of[store], self.town.at(store)
        asked = await desk.post(
            "/dispensing/requests",
            {"product": EC, "quantity": many, "reason": reason, "to_agency": agency, "to_facility": store, "facility": place},
        )
        await opened_request(keeper, store, asked["id"])
        batch = await self._from_store(keeper, store, many)
        parcel = {"batches": [{"batch": batch["batch"], "expires_on": batch["expires_on"], "quantity": many}]}
        await keeper.post(f"/supplies/requests/{asked['id']}/send", parcel)
        await until_sent(desk, place, asked["id"])
        await desk.post(f"/dispensing/requests/{asked['id']}/receive", parcel)
        self.held[place][batch["batch"]] += many
        self._asked.discard(place)

    async def _from_store(self, keeper: Desk, store: str, many: int) -> Any:
        """A batch of the store that has so many; a new delivery where none has."""
        today = self.town.today()
        for lot in (await keeper.get(f"/supplies/stock?facility={store}"))["items"]:
            if lot["product"] == EC and lot["quantity"] >= many and date.fromisoformat(lot["expires_on"]) > today:
                return lot
        self._batches += 1
        line = {
            "product": EC, "batch": f"EC-{today.year}-{self._batches:03}", "expires_on": _iso(today + timedelta(days=KEEPS_DAYS)),
            "kind": "received", "quantity": STORE, "facility": store,
        }  # fmt: skip
        return await keeper.post("/supplies/entries", line)

    def _store(self, place: str) -> str:
        """The nearest place of care with a line."""
        health = self.town.of_kind(AgencyKind.HEALTH)
        known = self.town.network.agencies[health or ""].facilities
        district = self.town.ground.district_of
        fitting = [id_ for id_ in self.town.ground.clinics if known[id_].mode is FacilityMode.ONLINE]
        far = 10_000.0
        return sorted(
            fitting,
            key=lambda id_: (
                known[id_].journeys[place].km if place in known[id_].journeys else far, district[id_] != district[place], id_,
            ),
        )[0]  # fmt: skip

    def plan(self, first: date, last: date) -> None:
        """Each month's count and statement, from the first day to the last; the last evening of a year is counted too,
        because a year's figures end with what lay there."""
        for place in self.places():
            day = first
            while day <= last:
                if (day + timedelta(days=1)).day == 1:
                    self.town.days.at(self.town.local(day, EVENING), partial(self.count, place))
                if day.day == 1 and day > first:
                    before = day - timedelta(days=1)
                    self.town.days.at(self.town.local(day, EARLY), partial(self.state_month, place, f"{before:%Y-%m}"))
                day += timedelta(days=1)
        if self.places():
            for day in (date(year, month, 3) for year in range(first.year, last.year + 1) for month in range(1, 13)):
                if first < day <= last:
                    self.town.days.at(self.town.local(day, EARLY), self.certify)


def _iso(day: date) -> str:
    return day.isoformat()
