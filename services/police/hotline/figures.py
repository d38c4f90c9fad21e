"""Calls as a programme's measures, of nobody in particular: how many came, how many reached a desk, how long a desk took; and how
many desks are ready now."""

from datetime import timedelta

from services.police.hotline.desks import desks_now, has_hotline
from services.police.hotline.domain import What, coverage, routing_rule, seen_within
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
        Measure.CALLS, Measure.CALLS_ROUTED, Measure.CALLS_WRONG_NUMBER, Measure.CALLS_SEEN_IN_TIME, Duration.DISPATCH_TIME
    )
    within = seen_within(here.programme) / timedelta(minutes=1)
    for call in await counted(tx, here.begin_of(of.first), here.begin_of(of.until)):
        found.add(Measure.CALLS, call.place)
        found.add(Measure.CALLS_ROUTED, call.place, int(call.is_routed))
        found.add(Measure.CALLS_WRONG_NUMBER, call.place, int(call.what is What.WRONG_NUMBER))
        if call.minutes_to_seen is not None:
            found.add_hours(Duration.DISPATCH_TIME, call.place, call.minutes_to_seen / MINUTES)
            found.add(Measure.CALLS_SEEN_IN_TIME, call.place, int(call.minutes_to_seen <= within))
    found.also(await _ready(tx, here))
    return found


async def _ready(tx: Transaction, here: Here) -> Counts:
    """Every desk that calls go to, and those that are staffed and ready now; past years had others, and nobody kept them."""
    found, rule = Counts.of(Measure.STATIONS, Measure.DESKS_READY), routing_rule(here.programme)
    desks = await desks_now(tx, here)
    gaps = coverage(here.programme, desks).gaps
    for desk in desks:
        if rule is not None and desk.now.kind in rule[1].to:
            found.add(Measure.STATIONS, desk.id)
            found.add(Measure.DESKS_READY, desk.id, int(desk.id not in gaps))
    return found
