"""Calls as a programme's measures, of nobody in particular: how many came, how many reached a desk, how long a desk took; and how
many desks are ready now."""

from services.police.hotline.desks import desks_now, has_hotline, stations
from services.police.hotline.domain import What, coverage, seen_within
from services.police.hotline.views import counted
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.here import Here
from shared.kit.db import Transaction
from shared.programmes.indicators import Duration, Measure

MINUTES = 60


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """A call counts at its desk, and at the room that took it where it went to none. Nothing where no hotline is answered here."""
    if not has_hotline(here):
        return Counts()
    found = Counts.of(
        Measure.CALLS, Measure.CALLS_ROUTED, Measure.CALLS_WRONG_NUMBER, Measure.CALLS_DUE, Measure.CALLS_SEEN_IN_TIME,
        Duration.DISPATCH_TIME,
    )  # fmt: skip
    within = seen_within(here.programme)
    for call in await counted(tx, here, here.begin_of(of.first), here.begin_of(of.until)):
        found.add(Measure.CALLS, call.place)
        found.add(Measure.CALLS_ROUTED, call.place, int(call.is_routed))
        found.add(Measure.CALLS_WRONG_NUMBER, call.place, int(call.what is What.WRONG_NUMBER))
        found.add(Measure.CALLS_DUE, call.place, int(call.is_due))
        found.add(Measure.CALLS_SEEN_IN_TIME, call.place, int(call.is_in_time(within)))
        if call.minutes_to_seen is not None:
            found.add_hours(Duration.DISPATCH_TIME, call.place, call.minutes_to_seen / MINUTES)
    found.also(await _ready(tx, here))
    return found


async def _ready(tx: Transaction, here: Here) -> Counts:
    """Every desk that calls go to, those that are staffed and ready now, and those that have said what is free there; and their
    stations, each once, at its first ready desk (its first where none is, itself where it has none). Past years had others, and
    nobody kept them."""
    assets = here.programme.assets
    asked = {  # of what the programme asks no desk for, nothing is known
        Measure.DESKS_WITH_ROOM: {id_ for id_, one in assets.items() if one.is_room},
        Measure.DESKS_WITH_VEHICLE: {id_ for id_, one in assets.items() if one.is_transport},
    }
    of_assets = {measure: ids for measure, ids in asked.items() if ids}
    found = Counts.of(
        Measure.STATIONS, Measure.STATIONS_READY, Measure.DESKS, Measure.DESKS_READY, Measure.DESKS_STAFFED, *of_assets
    )  # fmt: skip
    desks = await desks_now(tx, here)
    covered = coverage(here.programme, desks, stations(here))
    at: dict[str, str] = {}
    for desk in sorted(desks, key=lambda one: one.id in covered.gaps):
        at.setdefault(desk.station, desk.id)
        there = desk.now.assets or frozenset()
        found.add(Measure.DESKS, desk.id)
        found.add(Measure.DESKS_READY, desk.id, int(desk.id not in covered.gaps))
        found.add(Measure.DESKS_STAFFED, desk.id, int(desk.now.is_staffed is True))
        for measure, ids in of_assets.items():
            found.add(measure, desk.id, int(bool(there & ids)))
    for station in sorted(covered.stations):
        found.add(Measure.STATIONS, at.get(station, station))
        found.add(Measure.STATIONS_READY, at.get(station, station), int(station in covered.stations_ready))
    return found
